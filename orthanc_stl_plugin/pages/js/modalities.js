/** Which modalities are what; explorer/legacy.js and explorer/oe2.css say the same. */

const THRESHOLDED = new Set(['CT', 'MR', 'PT', 'NM', 'XA', 'OT']);
const NO_IMAGES = new Set([
  'M3D', 'RTSTRUCT', 'SEG', 'RTPLAN', 'RTDOSE', 'RTRECORD', 'REG', 'SR', 'PR', 'KO', 'DOC', 'AU', 'ECG', 'HD', 'FID', 'PLAN',
]);

/** @param {string} modality @returns {boolean} whether its series may be volumes. */
export function canBeThresholded(modality) {
  return THRESHOLDED.has(modality);
}

/** @param {string} modality */
export function isModel(modality) {
  return modality === 'M3D';
}

/** @param {string} modality @returns {boolean} whether its series are pictures to look at. */
export function hasImages(modality) {
  return !NO_IMAGES.has(modality);
}
