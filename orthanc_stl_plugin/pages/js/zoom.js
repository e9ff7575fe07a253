/** zoom.html: one image after the other, from the whole to its last pixel. */

import { address } from './api.js';
import { byId, element } from './dom.js';
import { text } from './i18n.js';
import { firstOf, picturesOf, readManifest, told } from './manifest.js';
import { errorMessage, identifier, pageAddress, parameters, startPage, tellWhere } from './page.js';
import { askAgain } from './patience.js';
import { ScaleBar } from './scalebar.js';
import { loadScript } from './script.js';
import { sentenceText } from './sentences.js';

const QUARTER_DEGREES = 90;
const STEP = 1.4;
const QUIET_MS = 500; // most images are there by then: a word would only flicker

startPage('zoomTitle', async () => {
  const [series, instance] = [identifier('series'), identifier('instance')];
  if (!series && !instance) throw new Error(text('nothingNamed'));
  const manifest = await (series ? readManifest('series', series) : readManifest('instance', instance || ''));
  const frame = Number(parameters.get('frame') ?? NaN);
  const all = manifest ? picturesOf(manifest) : [];
  const pictures = series || Number.isNaN(frame) ? all : all.slice(frame - 1, frame);
  if (!pictures.length) throw new Error(text('noImages'));
  await loadScript('openseadragon');
  tellWhere(told(manifest.label));
  const first = firstOf(manifest, pictures);
  byId('sequence').hidden = pictures.length < 2; // before the viewer takes the place that is left
  const viewer = makeViewer();
  const show = new Sequence(viewer, pictures);
  tools(viewer, series ? { series } : { instance: instance || '' });
  slider(show, pictures, first);
  await show.open(first);
});

/**
 * OpenSeadragon writes a style into the page, which the page's policy forbids, unless an element of
 * this name is there: css/stage.css has that style, and this is one without any effect.
 */
function standInForStyle() {
  const element = document.createElementNS('urn:x-no-style', 'style');
  element.setAttribute('data-openseadragon-mobile-css', 'true');
  document.head.append(element);
}

function makeViewer() {
  standInForStyle();
  const viewer = globalThis.OpenSeadragon({
    element: byId('stage'), showNavigationControl: false, showNavigator: true, navigatorPosition: 'BOTTOM_RIGHT', navigatorAutoFade: false,
    crossOriginPolicy: false, gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    maxZoomPixelRatio: 8, minZoomImageRatio: 0.7, preserveViewport: true, drawer: 'canvas', timeout: 60_000,
  });
  askAgain(viewer);
  askAgain(viewer.navigator);
  viewer.canvas.setAttribute('aria-label', text('zoomLabel'));
  viewer.canvas.setAttribute('role', 'img');
  return viewer;
}

/** The images, of which one is shown. */
class Sequence {
  /** @param {any} viewer @param {import('./manifest.js').Picture[]} pictures */
  constructor(viewer, pictures) {
    this.viewer = viewer;
    this.pictures = pictures;
    this.bar = new ScaleBar(viewer, byId('stage'));
    this.index = -1;
    viewer.addHandler('open-failed', (event) => this.#fail(event.message));
    viewer.addHandler('open', () => this.#measure());
    viewer.addHandler('tile-loaded', () => this.#endWait());
  }

  /** @param {number} index from 0. */
  async open(index) {
    if (index === this.index) return;
    this.index = index;
    byId('failure').replaceChildren();
    this.#endWait();
    this.wait = setTimeout(() => { byId('loading').hidden = false; }, QUIET_MS);
    this.viewer.open(this.pictures[index].info);
  }

  /** The levels of a huge image may have to be made first. */
  #endWait() {
    clearTimeout(this.wait);
    byId('loading').hidden = true;
  }

  #measure() {
    const { service } = this.viewer.world.getItemAt(0).source;
    this.bar.set(service?.physicalUnits === 'mm' ? service.physicalScale : null);
    document.documentElement.dataset.opened = String(this.index);
  }

  async #fail(message) {
    this.#endWait();
    let sentence = text('imageUnreadable');
    try {
      const answer = await fetch(this.pictures[this.index].info);
      const error = answer.ok ? {} : await answer.json();
      sentence = answer.ok ? `${sentence} ${message}` : sentenceText({ ...error, Message: error.Details || sentence });
    } catch {
      // the sentence stands
    }
    byId('failure').replaceChildren(errorMessage(sentence));
  }
}

function tools(viewer, query) {
  const turn = (degrees) => viewer.viewport.setRotation(viewer.viewport.getRotation() + degrees);
  const zoom = (factor) => {
    viewer.viewport.zoomBy(factor);
    viewer.viewport.applyConstraints();
  };
  const actions = [
    ['zoom-in', 'zoomIn', () => zoom(STEP)],
    ['zoom-out', 'zoomOut', () => zoom(1 / STEP)],
    ['whole', 'zoomHome', () => viewer.viewport.goHome()],
    ['turn-left', 'rotateLeft', () => turn(-QUARTER_DEGREES)],
    ['turn-right', 'rotateRight', () => turn(QUARTER_DEGREES)],
    ['full-screen', 'fullScreen', () => (document.fullscreenElement ? document.exitFullscreen() : byId('workbench').requestFullscreen())],
  ];
  const place = byId('tools');
  place.append(...actions.map(([icon, key, act]) => element(
    'button', { type: 'button', id: key, title: text(key), 'aria-label': text(key), onclick: act },
    element('img', { src: address(`stl/app/icons/${icon}.svg`), alt: '', width: 22, height: 22 }),
  )));
  place.append(element('a', { className: 'button', href: pageAddress('iiif.html', query) }, 'IIIF'));
  place.hidden = false;
}

/** @param {Sequence} sequence @param {import('./manifest.js').Picture[]} pictures @param {number} first */
function slider(sequence, pictures, first) {
  const count = pictures.length;
  if (count < 2) return;
  const position = byId('position');
  const told = byId('position-text');
  Object.assign(position, { min: '1', max: String(count), value: String(first + 1) });
  const tell = () => {
    told.textContent = `${position.value} / ${count}`;
  };
  position.addEventListener('input', tell);
  position.addEventListener('input', () => sequence.open(Number(position.value) - 1));
  tell();
}
