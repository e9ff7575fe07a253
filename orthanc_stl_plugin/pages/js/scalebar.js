/** A scale bar over an OpenSeadragon viewer: a round length that fits. */

import { element } from './dom.js';
import { lengthText } from './units.js';

const WIDEST_PX = 160;
const ROUND = [1, 2, 5];

/**
 * The longest round length that is no longer than `most`.
 * @param {number} most in mm.
 * @returns {number} 1, 2 or 5 times a power of ten, in mm.
 */
export function roundLength(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return power * (ROUND.filter((one) => one * power <= most).pop() || 1);
}

export class ScaleBar {
  /** @param {any} viewer @param {HTMLElement} stage */
  constructor(viewer, stage) {
    this.viewer = viewer;
    this.label = element('span');
    this.line = element('i');
    this.place = element('div', { className: 'scale-bar', hidden: true }, this.label, this.line);
    stage.append(this.place);
    /** @type {number | null} */
    this.spacingMm = null;
    viewer.addHandler('animation', () => this.update());
    viewer.addHandler('resize', () => this.update());
  }

  /** @param {number | null} spacingMm between the pixels of the whole image; null hides the bar. */
  set(spacingMm) {
    this.spacingMm = spacingMm;
    this.update();
  }

  update() {
    const image = this.viewer.world.getItemAt(0);
    this.place.hidden = this.spacingMm === null || !image;
    if (this.spacingMm === null || !image) return;
    const zoom = image.viewportToImageZoom(this.viewer.viewport.getZoom(true));
    const mmPerScreenPixel = this.spacingMm / zoom;
    const length = roundLength(WIDEST_PX * mmPerScreenPixel);
    this.label.textContent = lengthText(length);
    this.line.style.width = `${length / mmPerScreenPixel}px`;
  }
}
