/** The images of a series or an instance as IIIF image services. */

import { address, getJson } from './api.js';
import { text } from './i18n.js';
import { hasImages } from './modalities.js';

const SLIDE = 'SM';

/**
 * In version 2.1.1, whose info.json tells the size of pixels (IIIF annex, physical dimensions).
 * @typedef {{info: string, name: string}} Picture
 */

/** @param {string} series @returns {Promise<Picture[]>} a slide is one; else each frame is one. */
export async function picturesOfSeries(series) {
  const found = await getJson(`series/${series}`);
  const modality = found.MainDicomTags.Modality || '';
  if (!hasImages(modality)) throw new Error(text('noImages'));
  const name = found.MainDicomTags.SeriesDescription || modality;
  if (modality === SLIDE) {
    return [{ info: address(`series/${series}/iiif/2/info.json`), name }];
  }
  const instances = await getJson(`series/${series}/instances`);
  const order = (one) => Number(one.MainDicomTags.InstanceNumber || one.IndexInSeries || 0);
  instances.sort((one, other) => order(one) - order(other));
  return instances.flatMap((one) => frames(one.ID, Number(one.MainDicomTags.NumberOfFrames || 1), name));
}

/** @param {string} instance @param {string | null} frame its number, from 1 as in DICOM; null for all. */
export async function picturesOfInstance(instance, frame) {
  const [found, series] = await Promise.all([getJson(`instances/${instance}`), getJson(`instances/${instance}/series`)]);
  if (!hasImages(series.MainDicomTags.Modality || '')) throw new Error(text('noImages'));
  if (series.MainDicomTags.Modality === SLIDE && frame === null) return picturesOfSeries(series.ID);
  const name = series.MainDicomTags.SeriesDescription || series.MainDicomTags.Modality;
  const all = frames(instance, Number(found.MainDicomTags.NumberOfFrames || 1), name);
  return frame === null ? all : all.slice(Number(frame) - 1, Number(frame));
}

function frames(instance, count, name) {
  return Array.from({ length: count }, (_, index) => ({
    info: address(`instances/${instance}/frames/${index}/iiif/2/info.json`), name,
  }));
}
