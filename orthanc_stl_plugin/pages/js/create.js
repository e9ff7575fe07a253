/** create.html: what a series holds, how to make models of it, and the models. */

import { getJson } from './api.js';
import { byId, element } from './dom.js';
import { clearFileFields, dropZone, fileOrder } from './dropzone.js';
import { text } from './i18n.js';
import { canBeThresholded, isModel } from './modalities.js';
import { chosenOptions, fillOptions } from './options.js';
import { order } from './outcome.js';
import { errorMessage, identifier, pageAddress, startPage, studyAddress, tellWhere } from './page.js';
import { structurePicker } from './structures.js';
import { thresholdPicker } from './threshold.js';

/** What is ordered when the button is pressed; null while there is nothing to make models of. */
let source = null;
let isMaking = false;

startPage('createTitle', async () => {
  const series = identifier('series');
  const study = series ? await getJson(`series/${series}/study`) : await namedStudy();
  const described = study.MainDicomTags.StudyDescription || text('unnamedStudy');
  tellWhere(described);
  byId('back').href = studyAddress(study);
  byId('study-name').textContent = described;
  fillOptions();
  byId('create').addEventListener('click', () => make(studyAddress(study)));
  byId('page').hidden = false;
  const reading = series ? getJson(`series/${series}`).then(showSeries) : offerSeries(study);
  files(study, series, reading);
  await reading;
});

async function namedStudy() {
  const id = identifier('study');
  if (!id) throw new Error(text('nothingNamed'));
  return getJson(`studies/${id}`);
}

/** @param {any} series @returns {Promise<any>} what is ordered of it; null where it gives no model. */
async function showSeries(series) {
  const modality = series.MainDicomTags.Modality || '';
  byId('series-name').textContent = `${modality} · ${series.MainDicomTags.SeriesDescription || text('unnamedSeries')}`;
  let found = null;
  try {
    found = await seriesSource(series, modality);
  } catch (error) {
    byId('source').append(errorMessage(error));
  }
  use(found);
  return found;
}

async function seriesSource(series, modality) {
  if (modality === 'RTSTRUCT' || modality === 'SEG') return structureSource(series, modality);
  if (canBeThresholded(modality)) return thresholdPicker(series.ID, series.Instances.length);
  const key = isModel(modality) ? 'alreadyModel' : 'noSource';
  byId('source').append(element('p', { className: 'message' }, text(key, { modality })));
  if (isModel(modality)) {
    byId('source').append(element('a', { className: 'button', href: pageAddress('viewer.html', { series: series.ID }) }, text('openViewer')));
  }
  return null;
}

/** @returns {Promise<any>} null where each structure tells why nothing can be made of it. */
async function structureSource(series, modality) {
  const instance = await chosenInstance(series);
  const isSeg = modality === 'SEG';
  const list = await getJson(`${isSeg ? 'stl/seg' : 'stl/rt-struct'}/${instance}?details`);
  const chosen = structurePicker(list);
  if (!list.some((one) => one.CanBeMeshed)) return null;
  return {
    route: isSeg ? 'stl/encode-seg' : 'stl/encode-rtstruct',
    body: () => ({
      Instance: instance, [isSeg ? 'Segments' : 'RoiNames']: chosen(), Split: byId('split').value === 'each',
    }),
  };
}

/** A series may hold several segmentations: the address then names the one that is meant. */
async function chosenInstance(series) {
  const asked = identifier('instance');
  if (asked && series.Instances.includes(asked)) return asked;
  if (series.Instances.length > 1) {
    const picker = byId('instance');
    series.Instances.forEach((id, index) => picker.add(new Option(text('instanceNumber', { number: index + 1 }), id)));
    picker.onchange = () => location.assign(pageAddress('create.html', { series: series.ID, instance: picker.value }));
    byId('instance-field').hidden = false;
  }
  return series.Instances[0];
}

/** @param {any} study */
async function offerSeries(study) {
  const all = await getJson(`studies/${study.ID}/series`);
  const usable = all.filter(({ MainDicomTags: { Modality: one } }) => one === 'RTSTRUCT' || one === 'SEG' || canBeThresholded(one));
  byId('series-name').textContent = text('chooseSeries');
  byId('series-list').append(...usable.map((one) => element('li', {}, element(
    'a', { href: pageAddress('create.html', { series: one.ID }) },
    element('strong', {}, one.MainDicomTags.Modality),
    element('span', {}, one.MainDicomTags.SeriesDescription || text('unnamedSeries')),
    element('span', { className: 'quiet small' }, text('instanceCount', { count: one.Instances.length })),
  ))));
  if (!usable.length) byId('source').append(element('p', { className: 'message' }, text('noSeries')));
  use(null);
}

/**
 * Files take the place of the series when that has been read: it would take theirs else.
 * @param {any} study @param {string | null} series @param {Promise<any>} reading what is ordered of the series.
 */
function files(study, series, reading) {
  let last = Promise.resolve();
  dropZone((given) => {
    last = last.then(() => take(given, study, series, reading));
  });
}

/** @param {File[]} given @param {any} study @param {string | null} series @param {Promise<any>} reading */
async function take(given, study, series, reading) {
  byId('file-error').replaceChildren();
  if (!given.length) {
    location.reload();
    return;
  }
  try {
    const isVolume = (await reading)?.route === 'stl/encode-series';
    clearFileFields();
    for (const one of byId('source').querySelectorAll(':scope > :is(ul, .message, .button, .field)')) one.hidden = true;
    byId('threshold').hidden = true;
    byId('structures').hidden = true;
    byId('structure-rows').replaceChildren();
    use(await fileOrder(given, study.ID, isVolume ? series : null));
    byId('series-name').textContent = source.name;
    byId('file-help').textContent = byId('structures').hidden ? text(source.isModel ? 'modelHelp' : 'maskHelp') : '';
  } catch (error) {
    use(null);
    byId('series-name').textContent = given[0].name;
    byId('file-help').textContent = '';
    byId('file-error').append(errorMessage(error));
  }
}

function use(chosen) {
  source = chosen;
  offer();
  byId('making').hidden = Boolean(chosen?.isModel);
  byId('split-field').hidden = byId('structures').hidden || chosen?.route === 'stl/encode-nifti';
}

/** One order at a time: another file may be dropped meanwhile. */
function offer() {
  byId('create').disabled = isMaking || source === null;
}

/** @param {string} backAddress */
async function make(backAddress) {
  const { route, body: bodyOf, isModel } = source;
  isMaking = true;
  offer();
  try {
    byId('file-error').replaceChildren();
    const body = bodyOf();
    const isSingle = !body.Split || (body.Segments || body.RoiNames || body.Labels).length === 1;
    await order(route, { ...body, ...chosenOptions(Boolean(isModel), isSingle) }, backAddress);
  } catch (error) {
    byId('file-error').append(errorMessage(error));
  } finally {
    isMaking = false;
    offer();
  }
}
