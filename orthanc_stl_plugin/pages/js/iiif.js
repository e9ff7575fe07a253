/** iiif.html: the addresses of manifests, to copy. */

import { address } from './api.js';
import { byId, element } from './dom.js';
import { text } from './i18n.js';
import { readCollection, readManifest, seriesOf, studyOf, told } from './manifest.js';
import { identifier, pageAddress, parameters, showWayBack, startPage } from './page.js';

startPage('iiifTitle', async () => {
  const studies = await wantedStudies();
  if (!studies.length) throw new Error(text('noImages'));
  for (const study of studies) byId('manifests').append(await card(study));
});

/** @returns {Promise<string[]>} their identifiers. */
async function wantedStudies() {
  const [instance, series, study] = ['instance', 'series', 'study'].map(identifier);
  const several = (parameters.get('studies') || '').split(',').filter((one) => /^[0-9a-f-]{44}$/.test(one));
  if (study) return [study];
  if (several.length) return several;
  if (!series && !instance) throw new Error(text('nothingNamed'));
  const manifest = await (series ? readManifest('series', series) : readManifest('instance', instance || ''));
  const found = manifest && studyOf(manifest);
  return found ? [found] : [];
}

/** @param {string} study */
async function card(study) {
  const collection = await readCollection(study);
  const series = collection ? seriesOf(collection) : [];
  const asked = parameters.get('series');
  series.sort((one, other) => Number(other.series === asked) - Number(one.series === asked));
  const lines = [
    line(text('manifestOfStudy'), `studies/${study}/iiif/manifest.json`, { study }),
    ...series.map((one) => line(text('manifestOfSeries', { name: one.name }), `series/${one.series}/iiif/manifest.json`, { series: one.series }, one.isModel)),
  ];
  const back = element('a', { hidden: true }, text('backToStudy'));
  await showWayBack(back, study);
  return element(
    'section', { className: 'card' },
    element('h2', {}, collection ? told(collection.label) : text('unnamedStudy')),
    ...(series.length ? lines : [element('p', { className: 'message' }, text('noImages'))]),
    element('p', {}, back),
  );
}

function line(name, path, query, isModel = false) {
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
    'div', { className: 'line' },
    element('label', { className: 'field' }, element('span', {}, name), field),
    element('div', { className: 'row' },
      element('button', { type: 'button', onclick: copy, 'aria-label': text('copyOf', { name }) }, text('copy')),
      element('a', { className: 'button', href: pageAddress('mirador.html', query) }, text('openMirador')),
      query.series ? element('a', { className: 'button', href: pageAddress(isModel ? 'viewer.html' : 'zoom.html', query) }, text(isModel ? 'openViewer' : 'openZoom')) : null,
      element('a', { href: address(path) }, text('openManifest')), told),
  );
}
