/** Lengths and volumes in the unit that suits their size: specimens of a micrometre, statues of metres. */

import { number } from './i18n.js';

const DIGITS = 3;
const SMALLEST = Number.MIN_VALUE;
/** From which value each unit is taken, and what it measures; both in mm, from nothing upward. */
const LENGTHS = [[0, 1, 'mm'], [SMALLEST, 1e-6, 'nm'], [1e-3, 1e-3, 'µm'], [1, 1, 'mm'], [10, 10, 'cm'], [1000, 1000, 'm']];
/** Parts of one body are compared, and printed: up to a metre, all are in millimetres. */
const SIZES = LENGTHS.filter(([, , unit]) => unit !== 'cm');
/** The same in mm³. */
const VOLUMES = [[0, 1, 'mm³'], [SMALLEST, 1e-9, 'µm³'], [1e-3, 1, 'mm³'], [1000, 1000, 'cm³'], [1e8, 1e9, 'm³']];

/** @param {number} mm @returns {string} with its unit. */
export function lengthText(mm) {
  return inUnit([mm], LENGTHS);
}

/** @param {number[]} sizesMm along each axis. @returns {string} all in the unit of the largest. */
export function sizeText(sizesMm) {
  return inUnit(sizesMm, SIZES);
}

/** @param {number} mm3 @returns {string} with its unit. */
export function volumeText(mm3) {
  return inUnit([mm3], VOLUMES);
}

function inUnit(values, units) {
  const largest = rounded(Math.max(...values));
  const [, size, unit] = units.findLast(([from]) => largest >= from);
  return `${values.map((value) => number(rounded(value / size), DIGITS)).join(' × ')}\u00a0${unit}`;
}

function rounded(value) {
  return Number(value.toPrecision(DIGITS));
}
