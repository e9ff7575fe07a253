/** The structures of a segmentation, to choose from. */

import { byId, element } from './dom.js';
import { text } from './i18n.js';
import { sentenceText } from './sentences.js';
import { volumeText } from './units.js';

/**
 * @typedef {{Number: number, Name: string, Color: string | null, VolumeMm3?: number | null,
 *   CanBeMeshed: boolean, Reason: string}} Structure
 */

/**
 * Fills the table of structures; all that can be made are chosen at first.
 * @param {Structure[]} structures
 * @returns {() => number[]} the numbers of those that are chosen.
 */
export function structurePicker(structures) {
  const rows = byId('structure-rows');
  const boxes = structures.map((one) => {
    const box = element('input', {
      type: 'checkbox', value: String(one.Number), checked: one.CanBeMeshed, disabled: !one.CanBeMeshed, onchange: count,
    });
    rows.append(row(one, box));
    return box;
  });
  const usable = boxes.filter((box) => !box.disabled);
  const tick = (isChosen) => () => {
    for (const box of usable) box.checked = isChosen;
    count();
  };
  byId('choose-all').onclick = tick(true);
  byId('choose-none').onclick = tick(false);
  function count() {
    const chosen = usable.filter((box) => box.checked).length;
    byId('chosen-count').textContent = text('chosenCount', { chosen, of: usable.length });
  }
  count();
  byId('structures').hidden = false;
  return () => {
    const numbers = usable.filter((box) => box.checked).map((box) => Number(box.value));
    if (!numbers.length) throw new Error(text('chooseOne'));
    return numbers;
  };
}

/** @param {Structure} structure @param {HTMLInputElement} box */
function row(structure, box) {
  const swatch = structure.Color ? element('span', { className: 'swatch' }) : null; // an empty one looks like a box to tick
  if (swatch) swatch.style.background = structure.Color;
  const reason = structure.CanBeMeshed ? null : element('span', { className: 'small' }, sentenceText(structure.ReasonDetails));
  const size = structure.CanBeMeshed ? structure.VolumeMm3 : null;
  return element(
    'tr', { className: structure.CanBeMeshed ? '' : 'unusable' },
    element('td', {}, element('label', {}, box, swatch, structure.Name), reason),
    element('td', { className: 'number' }, size === undefined || size === null ? '' : volumeText(size)),
  );
}
