/** How the surfaces are to be made: smoothing, resolution, triangles, and what to call them. */

import { byId } from './dom.js';
import { text } from './i18n.js';

const SMOOTHINGS = {
  standard: { Smooth: true, Smoothing: { Method: 'Constrained', Iterations: 15 } },
  strong: { Smooth: true, Smoothing: { Method: 'Constrained', Iterations: 50 } },
  round: { Smooth: true, Smoothing: { Method: 'Laplacian', Iterations: 15 } },
  none: { Smooth: false },
};
const RESOLUTIONS = [128, 256, 512, 1024];
const USUAL_RESOLUTION = 256;

export function fillOptions() {
  const smoothing = byId('smoothing');
  for (const name of Object.keys(SMOOTHINGS)) smoothing.add(new Option(text(`smoothing.${name}`), name));
  const resolution = byId('resolution');
  for (const voxels of RESOLUTIONS) {
    const isUsual = voxels === USUAL_RESOLUTION;
    resolution.add(new Option(text(`resolution.${voxels}`), String(voxels), isUsual, isUsual));
  }
}

/**
 * @param {boolean} isModel nothing is made then, it only gets a name.
 * @param {boolean} isSingle the name is that of the one model, else of all together.
 * @returns {Record<string, unknown>} fields of the routes that make models.
 */
export function chosenOptions(isModel, isSingle) {
  const name = byId('title').value.trim();
  const title = isSingle ? { DocumentTitle: name, ContentDescription: name } : {};
  const tags = name ? { Tags: { SeriesDescription: name, ...title } } : {};
  if (isModel) return tags;
  const triangles = byId('triangles').value;
  return {
    ...tags,
    ...SMOOTHINGS[byId('smoothing').value],
    Resolution: Number(byId('resolution').value),
    ...(triangles ? { Triangles: Number(triangles) } : {}),
  };
}
