/** The images of a series or an instance as IIIF image services, and how large they are. */

import { address, getJson } from './api.js';
import { text } from './i18n.js';
import { hasImages } from './modalities.js';

const SLIDE = 'SM';

/**
 * @typedef {{info: string, name: string, instance: string}} Picture
 */

/** @param {string} series @returns {Promise<Picture[]>} a slide is one; else each frame is one. */
export async function picturesOfSeries(series) {
  const found = await getJson(`series/${series}`);
  const modality = found.MainDicomTags.Modality || '';
  if (!hasImages(modality)) throw new Error(text('noImages'));
  const name = found.MainDicomTags.SeriesDescription || modality;
  if (modality === SLIDE) {
    return [{ info: address(`series/${series}/iiif/3/info.json`), name, instance: found.Instances[0] }];
  }
  const instances = await getJson(`series/${series}/instances`);
  const order = (one) => Number(one.MainDicomTags.InstanceNumber || one.IndexInSeries || 0);
  instances.sort((one, other) => order(one) - order(other));
  return instances.flatMap((one) => frames(one.ID, Number(one.MainDicomTags.NumberOfFrames || 1), name));
}

/** @param {string} instance @param {string | null} frame its number, from 1; null for all. */
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
    info: address(`instances/${instance}/frames/${index + 1}/iiif/3/info.json`), name, instance,
  }));
}

/**
 * The distance between the pixels of an image, from DICOM (PS3.3 C.8.12.4.1.1 for slides: the whole
 * width in mm; 10.7.1.3 for other images: the distance between rows comes first).
 * @param {string} instance @param {number} width of the whole image in pixels.
 * @returns {Promise<number | null>} millimetres; null where it is not known.
 */
export async function pixelSpacingMm(instance, width) {
  const tags = await getJson(`instances/${instance}/simplified-tags`);
  if (Number(tags.ImagedVolumeWidth) > 0) return Number(tags.ImagedVolumeWidth) / width;
  const [shared] = tags.SharedFunctionalGroupsSequence || [];
  const [measures] = shared?.PixelMeasuresSequence || [];
  const told = measures?.PixelSpacing || tags.PixelSpacing || tags.ImagerPixelSpacing || tags.NominalScannedPixelSpacing;
  const between = Number(String(told || '').split('\\')[1]);
  return between > 0 ? between : null;
}
