/** A file of one's own instead of what the archive holds: a mask as NIfTI, or a model. */

import { byId, element } from './dom.js';
import { number, text } from './i18n.js';
import { labelsOf } from './nifti.js';
import { structurePicker } from './structures.js';

const UNITS = ['mm', 'cm', 'm', 'um', '[in_i]'];
const AXES = ['z', 'y'];
const MODELS = ['stl', 'obj', 'ply', 'glb', 'zip'];
const MASKS = ['nii', 'nii.gz'];
const COMPANIONS = ['mtl', 'jpg', 'jpeg', 'png', 'webp', 'tif', 'tiff', 'bmp', 'tga'];
const Y_UP = 'glb'; // glTF 2.0 section 3.4: y is up, the unit is the metre

/**
 * @typedef {{route: string, name: string, body: () => Record<string, unknown>, isModel: boolean}} Order
 */

/**
 * Makes the drop zone work; a file that misses it would else take the place of the page.
 * @param {(files: File[]) => void} changed called with the files, and with none.
 */
export function dropZone(changed) {
  const zone = byId('drop');
  const input = byId('file');
  const take = (files) => {
    byId('file-name').textContent = files.map((file) => text('fileChosen', { name: file.name, size: sizeOf(file) })).join(', ');
    byId('remove-file').hidden = !files.length;
    changed(files);
  };
  byId('choose-file').addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    const files = [...input.files];
    input.value = ''; // the same file, mended meanwhile, is a change too
    if (files.length) take(files);
  });
  byId('remove-file').addEventListener('click', () => take([]));
  const listen = (name, act) => document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    act(event);
  });
  for (const name of ['dragenter', 'dragover']) listen(name, () => zone.classList.add('over'));
  for (const name of ['dragleave', 'drop']) listen(name, () => zone.classList.remove('over'));
  listen('drop', (event) => {
    const files = [...event.dataTransfer.files];
    if (files.length) take(files);
  });
}

/**
 * What files ask for: a mask, or a model and what it names; shows the fields that belong to its kind.
 * @param {File[]} files @param {string} study @param {string | null} series whose coordinates it is in.
 * @returns {Promise<Order>}
 */
export async function fileOrder(files, study, series) {
  const main = files.filter((file) => endOf(file, COMPANIONS) === undefined);
  const [file] = main.length ? main : files;
  if (main.length > 1) throw new Error(text('severalFiles', { names: main.map((one) => one.name).join(', ') }));
  const kind = endOf(file, MODELS);
  if (kind === undefined && endOf(file, MASKS) === undefined) throw new Error(text('unknownFile', { name: file.name }));
  const reference = series ? { ReferenceSeries: series } : {};
  if (kind === undefined) return niftiOrder(file, study, reference);
  return modelOrder(file, files.filter((one) => one !== file), kind, { ParentStudy: study, ...reference });
}

/** @param {File} file @param {File[]} companions @param {string} kind @param {Record<string, string>} place */
function modelOrder(file, companions, kind, place) {
  const unit = byId('unit');
  const axis = byId('up');
  fill(unit, 'unit', UNITS, kind === Y_UP ? 'm' : 'mm', kind);
  fill(axis, 'axis', AXES, kind === Y_UP ? 'y' : 'z', kind);
  byId('unit-field').hidden = false;
  byId('up-field').hidden = false;
  return {
    route: 'stl/attach',
    name: file.name,
    isModel: true,
    body: () => ({
      ...place,
      Format: kind,
      Name: stem(file.name),
      ...(unit.value ? { Unit: unit.value } : {}),
      ...(axis.value ? { Up: axis.value } : {}),
      File: file,
      Files: Object.fromEntries(companions.map((one) => [one.name, one])),
    }),
  };
}

/** Choices of a unit or an axis; of an archive only the server knows which format it holds. */
function fill(picker, name, values, usual, kind) {
  const own = kind === 'zip' ? [new Option(text(`${name}.own`), '')] : [];
  picker.replaceChildren(...own, ...values.map((one) => new Option(text(`${name}.${one}`), one)));
  picker.value = kind === 'zip' ? '' : usual;
}

/** @param {File} file @param {string[]} ends @returns {string | undefined} that of them which its name has. */
function endOf(file, ends) {
  return ends.find((one) => file.name.toLowerCase().endsWith(`.${one}`));
}

async function niftiOrder(file, study, reference) {
  const labels = await labelsOf(file);
  const chosen = labels.length > 1 ? structurePicker(labels) : null;
  return {
    route: 'stl/encode-nifti',
    name: file.name,
    isModel: false,
    body: () => ({
      ParentStudy: study, Nifti: file, ...(chosen ? { Labels: chosen(), Split: true } : {}), ...reference,
    }),
  };
}

/** Hides what `fileOrder` has shown. */
export function clearFileFields() {
  byId('unit-field').hidden = true;
  byId('up-field').hidden = true;
}

function sizeOf(file) {
  const kibibytes = Math.ceil(file.size / 1024);
  return kibibytes < 1024 ? text('kibibytes', { number: number(kibibytes, 4) }) : text('mebibytes', { number: number(kibibytes / 1024) });
}

function stem(name) {
  return name.replace(/\.[^.]+$/, '').slice(0, 64);
}
