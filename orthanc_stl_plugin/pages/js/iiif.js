/** iiif.html: the addresses of manifests, to copy. */

import { address, getJson } from './api.js';
import { byId, element } from './dom.js';
import { text } from './i18n.js';
import { hasImages } from './modalities.js';
import { identifier, pageAddress, parameters, startPage, studyAddress } from './page.js';

startPage('iiifTitle', async () => {
  const studies = await wantedStudies();
  for (const study of studies) byId('manifests').append(await card(study));
});

async function wantedStudies() {
  const [instance, series, study] = ['instance', 'series', 'study'].map(identifier);
  const several = (parameters.get('studies') || '').split(',').filter((one) => /^[0-9a-f-]{44}$/.test(one));
  if (instance) return [await getJson(`instances/${instance}/study`)];
  if (series) return [await getJson(`series/${series}/study`)];
  if (study) return [await getJson(`studies/${study}`)];
  if (several.length) return Promise.all(several.map((one) => getJson(`studies/${one}`)));
  throw new Error(text('nothingNamed'));
}

/** @param {any} study */
async function card(study) {
  const series = await getJson(`studies/${study.ID}/series`);
  const pictures = series.filter((one) => hasImages(one.MainDicomTags.Modality || ''));
  const asked = parameters.get('series');
  pictures.sort((one, other) => Number(other.ID === asked) - Number(one.ID === asked));
  const lines = [
    line(text('manifestOfStudy'), `studies/${study.ID}/iiif/manifest.json`, { study: study.ID }),
    ...pictures.map((one) => line(
      text('manifestOfSeries', { name: one.MainDicomTags.SeriesDescription || one.MainDicomTags.Modality }),
      `series/${one.ID}/iiif/manifest.json`, { series: one.ID },
    )),
  ];
  return element(
    'section', { className: 'card' },
    element('h2', {}, study.MainDicomTags.StudyDescription || text('unnamedStudy')),
    ...(pictures.length ? lines : [element('p', { className: 'message' }, text('noImages'))]),
    element('p', {}, element('a', { href: studyAddress(study) }, text('backToStudy'))),
  );
}

function line(name, path, query) {
  const field = element('input', { type: 'text', readOnly: true, value: address(path), onfocus: () => field.select() });
  const told = element('span', { role: 'status', className: 'quiet small' });
  const copy = async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      told.textContent = text('copied');
    } catch {
      told.textContent = text('copyByHand');
    }
  };
  return element(
    'div', { className: 'stack line' },
    element('label', { className: 'field' }, element('span', {}, name), field),
    element('div', { className: 'row' },
      element('button', { type: 'button', onclick: copy, 'aria-label': text('copyOf', { name }) }, text('copy')),
      element('a', { className: 'button', href: pageAddress('mirador.html', query) }, text('openMirador')),
      query.series ? element('a', { className: 'button', href: pageAddress('zoom.html', query) }, text('openZoom')) : null,
      element('a', { href: address(path) }, text('openManifest')), told),
  );
}
