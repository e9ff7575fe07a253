/** A file of one's own instead of what the archive holds: a mask as NIfTI, or a model. */

import { base64 } from './api.js';
import { byId, element } from './dom.js';
import { text } from './i18n.js';
import { labelsOf } from './nifti.js';
import { structurePicker } from './structures.js';

const UNITS = ['mm', 'cm', 'm', 'um', '[in_i]'];
const MODELS = ['stl', 'obj', 'ply', 'glb'];

/**
 * @typedef {{route: string, body: () => Promise<Record<string, unknown>>, isModel: boolean}} Order
 */

/**
 * Makes the drop zone work.
 * @param {(file: File | null) => Promise<void>} changed called with each file, and null without.
 */
export function dropZone(changed) {
  const zone = byId('drop');
  const input = byId('file');
  const take = async (file) => {
    byId('file-name').textContent = file ? text('fileChosen', { name: file.name, size: sizeOf(file) }) : '';
    byId('remove-file').hidden = !file;
    await changed(file);
  };
  byId('choose-file').addEventListener('click', () => input.click());
  input.addEventListener('change', () => input.files[0] && take(input.files[0]));
  byId('remove-file').addEventListener('click', () => {
    input.value = '';
    take(null);
  });
  for (const name of ['dragenter', 'dragover']) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add('over');
    });
  }
  for (const name of ['dragleave', 'drop']) zone.addEventListener(name, () => zone.classList.remove('over'));
  zone.addEventListener('drop', (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
}

/**
 * What a file asks for; shows the fields that belong to its kind.
 * @param {File} file @param {string} study @param {string | null} series whose coordinates it is in.
 * @returns {Promise<Order>}
 */
export async function fileOrder(file, study, series) {
  const name = file.name.toLowerCase();
  const kind = MODELS.find((one) => name.endsWith(`.${one}`));
  if (!kind && !name.endsWith('.nii') && !name.endsWith('.nii.gz')) throw new Error(text('unknownFile', { name: file.name }));
  const reference = series ? { ReferenceSeries: series } : {};
  return kind ? modelOrder(file, kind, study, reference) : niftiOrder(file, study, reference);
}

function modelOrder(file, kind, study, reference) {
  const unit = byId('unit');
  unit.replaceChildren(...UNITS.map((one) => new Option(text(`unit.${one}`), one)));
  unit.value = kind === 'glb' ? 'm' : 'mm';
  byId('unit-field').hidden = false;
  return {
    route: 'stl/attach',
    isModel: true,
    body: async () => ({
      ParentStudy: study, Format: kind, Unit: unit.value, Name: stem(file.name), File: await base64(file), ...reference,
    }),
  };
}

async function niftiOrder(file, study, reference) {
  const labels = await labelsOf(file);
  const chosen = labels.length > 1 ? structurePicker(labels) : null;
  return {
    route: 'stl/encode-nifti',
    isModel: false,
    body: async () => ({
      ParentStudy: study, Nifti: await base64(file), ...(chosen ? { Labels: chosen(), Split: true } : {}), ...reference,
    }),
  };
}

/** Hides what `fileOrder` has shown. */
export function clearFileFields() {
  byId('unit-field').hidden = true;
}

function sizeOf(file) {
  return file.size < 1 << 20 ? `${Math.ceil(file.size / 1024)} KiB` : `${(file.size / (1 << 20)).toFixed(1)} MiB`;
}

function stem(name) {
  return name.replace(/\.[^.]+$/, '').slice(0, 64);
}
