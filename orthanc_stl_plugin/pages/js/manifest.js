/** What manifests of this server tell of images and models: all that a page needs, for the public too. */

import { address, getJson } from './api.js';
import { currentLanguage, text } from './i18n.js';

const GLB = 'model/gltf-binary';
const SERVICE = /\/((?:series|instances)\/[0-9a-f-]{44}(?:\/(?:pyramids|frames)\/\d+)?\/iiif)\/3$/;
const MODEL = /\/instances\/([0-9a-f-]{44})\/glb$/;
const SERIES = /\/series\/([0-9a-f-]{44})\/iiif\/manifest\.json$/;
const PREVIEW = /\/preview-3d\?/;
const STUDY = /\/studies\/([0-9a-f-]{44})\/iiif\/dicom\.json$/;
const FOLDERS = { study: 'studies', series: 'series', instance: 'instances' };

/**
 * Images in version 2.1.1, whose info.json tells the size of pixels (IIIF annex, physical dimensions).
 * @typedef {{info: string, name: string}} Picture
 * @typedef {{instance: string, name: string}} StoredModel
 */

/**
 * @param {'study' | 'series' | 'instance'} level @param {string} id
 * @returns {string} the path of its manifest.
 */
export function manifestPath(level, id) {
  return `${FOLDERS[level]}/${id}/iiif/manifest.json`;
}

/**
 * @param {'study' | 'series' | 'instance'} level @param {string} id
 * @returns {Promise<any>} null where there is nothing to see.
 */
export function readManifest(level, id) {
  return readDocument(manifestPath(level, id));
}

/** @param {string} study @returns {Promise<any>} the collection of its series; null where there is nothing to see. */
export function readCollection(study) {
  return readDocument(`studies/${study}/iiif/collection.json`);
}

/** @param {any} collection of a study @returns {{series: string, name: string, isModel: boolean}[]} those with something to see. */
export function seriesOf(collection) {
  return collection.items.flatMap((one) => {
    const found = SERIES.exec(one.id);
    return found ? [{ series: found[1], name: told(one.label), isModel: one.thumbnail.some(({ id }) => PREVIEW.test(id)) }] : [];
  });
}

/** @param {string} path of a manifest or a collection. @returns {Promise<any>} null where there is nothing to see. */
export async function readDocument(path) {
  try {
    return await getJson(path);
  } catch (error) {
    if (error.status === 422) return null;
    throw error;
  }
}

/** @param {any} label by language. @returns {string} in the reader's language, or else any. */
export function told(label) {
  const values = label[currentLanguage()] || label.en || label.none || Object.values(label)[0] || [];
  return values.join(', ');
}

/**
 * Addresses of manifests may name another face of this server: here they are below this one.
 * @param {any} manifest @returns {Picture[]} the first of each canvas.
 */
export function picturesOf(manifest) {
  return manifest.items.flatMap((canvas) => {
    const { body } = canvas.items[0].items[0];
    const [service] = (body.type === 'Choice' ? body.items[0] : body).service || [];
    const found = service && SERVICE.exec(service.id);
    return found ? [{ info: address(`${found[1]}/2/info.json`), name: told(canvas.label || manifest.label) }] : [];
  });
}

/** @param {any} manifest @param {Picture[]} pictures @returns {number} which one to show first. */
export function firstOf(manifest, pictures) {
  const start = manifest.items.findIndex((canvas) => canvas.id === manifest.start?.id);
  return Math.min(Math.max(start, 0), pictures.length - 1);
}

/** @param {any} manifest @returns {StoredModel[]} */
export function modelsOf(manifest) {
  return manifest.items.flatMap((canvas) => {
    const glb = (canvas.rendering || []).find((one) => one.format === GLB);
    const found = glb && MODEL.exec(glb.id);
    return found ? [{ instance: found[1], name: told(canvas.label) || text('unnamed') }] : [];
  });
}

/** @param {any} manifest @returns {string | null} the identifier of its study. */
export function studyOf(manifest) {
  const found = (manifest.seeAlso || []).map((one) => STUDY.exec(one.id)).find(Boolean);
  return found ? found[1] : null;
}
