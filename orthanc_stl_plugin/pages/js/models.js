/** Which models there are, and what the archive tells of them. */

import { address, getJson } from './api.js';
import { text } from './i18n.js';

/**
 * @typedef {{instance: string, name: string}} StoredModel
 */

/** @param {string} instance @returns {Promise<StoredModel>} */
export async function storedModel(instance) {
  const tags = await getJson(`instances/${instance}/simplified-tags`);
  const name = ['DocumentTitle', 'ContentDescription', 'SeriesDescription'].map((tag) => tags[tag]).find(Boolean);
  return { instance, name: name || text('unnamed') };
}

/** @param {string} series @returns {Promise<StoredModel[]>} those of a series, in its order. */
export async function modelsOfSeries(series) {
  const instances = await getJson(`series/${series}/instances`);
  const order = (one) => Number(one.MainDicomTags.InstanceNumber || one.IndexInSeries || 0);
  instances.sort((one, other) => order(one) - order(other));
  return Promise.all(instances.map((one) => storedModel(one.ID)));
}

/** @param {string} study @returns {Promise<StoredModel[]>} those of all its series of models. */
export async function modelsOfStudy(study) {
  const series = await getJson(`studies/${study}/series`);
  const models = series.filter((one) => one.MainDicomTags.Modality === 'M3D');
  return (await Promise.all(models.map((one) => modelsOfSeries(one.ID)))).flat();
}

/** @param {string} instance @param {'glb' | 'stl' | 'obj'} format */
export function modelAddress(instance, format) {
  return address(`instances/${instance}/${format}`);
}
