/** index.html: how the plugin is, what it has made, and where to go. */

import { address, getJson, postJson } from './api.js';
import { byId, element } from './dom.js';
import { dateTime, hasText, number, text } from './i18n.js';
import { failureText } from './jobs.js';
import { hasImages } from './modalities.js';
import { errorMessage, pageAddress, startPage, tellWhere } from './page.js';

const MEBIBYTE = 1 << 20;
const MOST_JOBS = 10;
const MOST_STUDIES = 8;
const MOST_MODELS = 6;
const MOST_NAMES = 3;
const MOST_TRIES = 3;
const RETRY_MS = 10_000; // the server's Retry-After
const LATEST_FIRST = [{ Type: 'Metadata', Key: 'LastUpdate', Direction: 'DESC' }];

startPage('indexTitle', async () => {
  const status = await getJson('stl/status');
  tellWhere(status.Orthanc.Name);
  health(status);
  caches(status);
  links(status);
  await Promise.all([jobs(status), gallery(), studies(), publishing(status)]);
});

function health(status) {
  const { Alive: alive, Count: count } = status.Workers;
  const troubles = [];
  if (alive < count) troubles.push(text('workersDown', { alive, count }));
  if (!Object.keys(status.Viewers).length) troubles.push(text('viewersAbsent'));
  if (status.OfficialPlugins.length) troubles.push(text('officialFound', { names: status.OfficialPlugins.join(', ') }));
  for (const [study, faults] of Object.entries(status.MetadataFaults)) {
    troubles.push(text('metadataFaults', { study, faults: faults.join('; ') }));
  }
  const good = element('p', { className: 'message good' }, text('healthGood'));
  byId('health').append(...(troubles.length ? troubles.map((one) => element('p', { className: 'message' }, one)) : [good]));
  const viewers = Object.entries(status.Viewers).map(([name, version]) => `${name} ${version}`);
  const facts = {
    version: status.Version,
    orthanc: status.Orthanc.Version,
    workers: text('workersAlive', { alive, count }),
    queue: text('queueText', { running: status.Jobs.Running, pending: status.Jobs.Pending }),
    viewers: viewers.join(', ') || text('none'),
    officialPlugins: status.OfficialPlugins.join(', ') || text('none'),
  };
  for (const [key, value] of Object.entries(facts)) {
    byId('facts').append(element('dt', {}, text(`fact.${key}`)), element('dd', {}, value));
  }
}

function caches(status) {
  const mebibytes = (bytes) => number(Math.round((10 * bytes) / MEBIBYTE) / 10);
  byId('caches').append(...Object.entries(status.Caches).map(([name, { Bytes, MaxBytes, Hits, Misses }]) => element(
    'tr', {},
    element('td', {}, text(`cache.${name}`)),
    element('td', { className: 'number' }, text('cacheSize', { bytes: mebibytes(Bytes), most: mebibytes(MaxBytes) })),
    element('td', { className: 'number' }, Hits + Misses ? text('percent', { number: number(Math.round((100 * Hits) / (Hits + Misses))) }) : '–'),
  )));
}

async function jobs(status) {
  const all = await getJson(`${status.JobsPath.slice(1)}?expand`);
  const ours = all.filter((job) => hasText(`job.${job.Type}`));
  ours.sort((one, other) => other.CreationTime.localeCompare(one.CreationTime));
  byId('no-jobs').hidden = ours.length > 0;
  byId('jobs').hidden = ours.length === 0;
  byId('job-rows').append(...ours.slice(0, MOST_JOBS).map(jobRow));
}

function jobRow(job) {
  const made = job.Content?.Instances || [];
  const view = made.length
    ? element('a', { href: pageAddress('viewer.html', { series: made[0].ParentSeries }) }, namesOf(made))
    : null;
  const reason = job.ErrorDetails ? element('span', { className: 'quiet small' }, ` ${failureText(job)}`) : null;
  return element(
    'tr', {},
    element('td', {}, text(`job.${job.Type}`)),
    element('td', {}, moment(job.CreationTime)),
    element('td', {}, text(`state.${job.State}`), reason),
    element('td', {}, view),
  );
}

/** @param {{Name: string}[]} made @returns {string} the first names, and how many more there are. */
function namesOf(made) {
  const names = made.slice(0, MOST_NAMES).map((one) => one.Name).join(', ');
  const count = made.length - MOST_NAMES;
  return count > 0 ? text('namesAndMore', { names, count }) : names;
}

/** @param {string} stamp YYYYMMDDTHHMMSS.ffffff in UTC. */
function moment(stamp) {
  const iso = stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3}).*$/, '$1-$2-$3T$4:$5:$6.$7Z');
  return dateTime(new Date(iso));
}

/** The latest models, as pictures. */
async function gallery() {
  const found = await postJson('tools/find', {
    Level: 'Series', Query: { Modality: 'M3D' }, Expand: true, Limit: MOST_MODELS, OrderBy: LATEST_FIRST,
  });
  byId('models').append(...found.map((series) => element(
    'li', {}, element('a', { href: pageAddress('viewer.html', { series: series.ID }) },
      picture(address(`instances/${series.Instances[0]}/preview-3d?size=320`)),
      element('span', {}, series.MainDicomTags.SeriesDescription || text('unnamed'))),
  )));
  byId('gallery').hidden = found.length === 0;
}

/** A model's picture. Where there is none a blank, until the server, which may be busy, has been asked some times more. */
function picture(source, tries = MOST_TRIES) {
  const image = element('img', { src: source, alt: '', loading: 'lazy', width: 160, height: 160 });
  image.onerror = () => {
    const blank = element('i', { className: 'blank' });
    image.replaceWith(blank);
    if (tries) setTimeout(() => blank.replaceWith(picture(source, tries - 1)), RETRY_MS);
  };
  return image;
}

async function studies() {
  const place = byId('studies');
  try {
    const found = await postJson('tools/find', {
      Level: 'Study', Query: {}, Expand: true, Limit: MOST_STUDIES, OrderBy: LATEST_FIRST,
      RequestedTags: ['ModalitiesInStudy'],
    });
    place.append(...found.map(studyEntry));
    if (!found.length) place.append(element('li', { className: 'quiet' }, text('noStudies')));
  } catch (error) {
    place.append(element('li', {}, errorMessage(error)));
  }
}

function studyEntry(study) {
  const modalities = String(study.RequestedTags?.ModalitiesInStudy || '').split('\\').filter(Boolean);
  const pages = [['create.html', 'button.create', true], ['viewer.html', 'button.view', modalities.includes('M3D')],
    ['iiif.html', 'button.manifest', modalities.some(hasImages)]];
  return element(
    'li', {},
    element('strong', {}, study.MainDicomTags.StudyDescription || text('unnamedStudy')),
    element('span', { className: 'quiet small' }, ` ${modalities.join(', ')}`),
    element('div', { className: 'row small' }, ...pages.filter(([, , isOffered]) => isOffered).map(([page, key]) => element(
      'a', { href: pageAddress(page, { study: study.ID }) }, text(key),
    ))),
  );
}

/** What those see who are no staff. */
async function publishing(status) {
  const place = byId('publish');
  const label = status.PublishedLabel;
  const query = { Level: 'Study', Query: {}, ...(label ? { Labels: [label] } : {}) };
  const { Count: count } = await postJson('tools/count-resources', query);
  place.append(element('p', {}, label ? text('publishLabel', { count, label }) : text('publishAll', { count })));
  if (label) {
    const latest = await postJson('tools/find', { ...query, Expand: true, Limit: MOST_STUDIES, OrderBy: LATEST_FIRST });
    place.append(element('ul', { className: 'plain small' }, ...latest.map((study) => element(
      'li', {}, element('a', { href: pageAddress('iiif.html', { study: study.ID }) }, study.MainDicomTags.StudyDescription || text('unnamedStudy')),
    ))));
  }
  place.append(element('p', {}, element('a', { href: address('iiif/collection.json') }, text('linkCollection'))));
}

function links(status) {
  const all = [['app/explorer.html', 'linkExplorer']];
  if (status.Plugins.includes('orthanc-explorer-2')) all.unshift(['ui/app/', 'linkExplorer2']);
  byId('links').append(...all.map(([path, key]) => element('li', {}, element('a', { href: address(path) }, text(key)))));
}
