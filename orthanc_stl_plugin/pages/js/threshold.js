/** What of an image series is the object: a threshold, seen on its slices at once. */

import { getJson } from './api.js';
import { byId, element } from './dom.js';
import { DIRECTIONS, GreyVolume } from './greyvolume.js';
import { drawBars, markInside } from './histogram.js';
import { number, text } from './i18n.js';
import { sentenceText } from './sentences.js';

const STEPS = 1000;

/**
 * Fills the part of the page where a threshold is chosen.
 * @param {string} series @param {number} count of its images.
 * @returns {Promise<{route: string, body: () => Record<string, unknown>}>} what to order.
 */
export async function thresholdPicker(series, count) {
  const waiting = byId('threshold-waiting');
  byId('threshold-reading').textContent = text('readingImages', { count });
  waiting.hidden = false;
  let summary;
  try {
    summary = await getJson(`series/${series}/stl/values`);
  } finally {
    waiting.hidden = true;
  }
  byId('threshold-facts').after(...summary.NoteDetails.map((note) => element('p', { className: 'message' }, sentenceText(note))));
  const picker = new Picker(summary);
  byId('threshold').hidden = false;
  picker.update();
  return { route: 'stl/encode-series', body: () => ({ Series: series, ...picker.chosen() }) };
}

class Picker {
  /** @param {any} summary */
  constructor(summary) {
    this.summary = summary;
    this.volume = new GreyVolume(summary);
    this.isWhole = Number.isInteger(summary.Minimum) && Number.isInteger(summary.Maximum) && summary.Slope === 1;
    this.canvas = byId('slice');
    this.histogram = byId('histogram');
    this.lower = this.#pair('lower', summary.Otsu ?? summary.Minimum);
    this.upper = this.#pair('upper', summary.Maximum);
    drawBars(this.histogram, summary.Histogram);
    byId('otsu').addEventListener('click', () => {
      this.#set(this.lower, summary.Otsu);
      this.#set(this.upper, summary.Maximum);
      this.update();
    });
    byId('otsu').disabled = summary.Otsu === null;
    this.#slices();
    const [columns, rows, slices] = summary.OriginalShape;
    byId('threshold-facts').textContent = text('seriesFacts', {
      columns, rows, slices, low: this.#shown(summary.Minimum), high: this.#shown(summary.Maximum), unit: summary.Unit || text('noUnit'),
    });
  }

  /** @throws {Error} when there is no lowest value. */
  chosen() {
    const { lower, upper } = this.#range();
    if (Number.isNaN(lower)) throw new Error(text('lowerAbsent'));
    return {
      Threshold: lower,
      ...(upper < Infinity ? { Upper: upper } : {}),
      KeepLargest: byId('keep-largest').checked,
      FillHoles: byId('fill-holes').checked,
    };
  }

  update() {
    const { Minimum: low, Maximum: high } = this.summary;
    const range = this.#range();
    const share = (value) => Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
    markInside(this.histogram, share(Number.isNaN(range.lower) ? Infinity : range.lower), share(range.upper));
    const index = Number(this.position.value);
    const inside = this.volume.draw(this.canvas, this.direction.value, index, range);
    byId('slice-number').textContent = `${index + 1} / ${this.volume.count(this.direction.value)}`;
    byId('slice-share').textContent = text('insideShare', { share: number(100 * inside) });
  }

  /**
   * The values inside. The fields round what they show: at their ends nothing is left out for that.
   * @returns {{lower: number, upper: number}} NaN without a lowest, Infinity without a highest value.
   */
  #range() {
    const { Minimum: low, Maximum: high } = this.summary;
    const [lower, upper] = [this.lower.field.valueAsNumber, this.upper.field.valueAsNumber];
    return {
      lower: lower <= this.#rounded(low) ? Math.min(lower, low) : lower,
      upper: upper < this.#rounded(high) ? upper : Infinity,
    };
  }

  /** A slider and a number field that follow each other. */
  #pair(name, value) {
    const { Minimum: low, Maximum: high } = this.summary;
    const pair = { slider: byId(`${name}-slider`), field: byId(name) };
    const step = this.isWhole ? 1 : (high - low) / STEPS;
    Object.assign(pair.slider, { min: String(low), max: String(high), step: String(step) });
    Object.assign(pair.field, { step: this.isWhole ? '1' : 'any' });
    this.#set(pair, value);
    pair.slider.addEventListener('input', () => {
      pair.field.value = String(this.#rounded(Number(pair.slider.value)));
      this.update();
    });
    pair.field.addEventListener('input', () => {
      pair.slider.value = pair.field.value;
      this.update();
    });
    return pair;
  }

  #set(pair, value) {
    pair.slider.value = String(value);
    pair.field.value = String(this.#rounded(value));
  }

  #rounded(value) {
    return this.isWhole ? Math.round(value) : Number(value.toPrecision(6));
  }

  #shown(value) {
    return number(this.#rounded(value), 4);
  }

  #slices() {
    this.direction = byId('slice-direction');
    this.position = byId('slice-position');
    for (const name of Object.keys(DIRECTIONS)) {
      if (name === 'slices' || this.volume.isWide(name)) this.direction.add(new Option(text(`direction.${name}`), name));
    }
    const middle = () => {
      const count = this.volume.count(this.direction.value);
      Object.assign(this.position, { min: '0', max: String(count - 1), value: String(Math.floor(count / 2)) });
      this.update();
    };
    this.direction.addEventListener('change', middle);
    this.position.addEventListener('input', () => this.update());
    const count = this.volume.count(this.direction.value);
    Object.assign(this.position, { min: '0', max: String(count - 1), value: String(Math.floor(count / 2)) });
  }
}
