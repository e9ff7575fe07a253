/** What every page does first: texts, header, the way back, and errors that are shown. */

import { address, getJson } from './api.js';
import { element } from './dom.js';
import { languagePicker, loadTexts, text } from './i18n.js';

export const parameters = new URLSearchParams(location.search);
const START_PAGE = address('stl/app/index.html');
const STAFF_PAGES = /\/(index|create)\.html$/;
/** Where the reader came from; null for who was given the address of a page: one of the public, perhaps. */
const from = parameters.get('from') ?? (STAFF_PAGES.test(location.pathname) ? 'app' : null);
/** Whether the reader may open the pages of staff: one of the public may have been given an address of staff. */
const isStaff = from !== null && (STAFF_PAGES.test(location.pathname) || fetch(START_PAGE).then(({ ok }) => ok, () => false));
const IDENTIFIER = /^[0-9a-f]{8}(-[0-9a-f]{8}){4}$/;

/**
 * Starts a page; whatever fails in `fill` is shown in `main`.
 * @param {string} title key of the page's title.
 * @param {() => Promise<void>} fill
 */
export async function startPage(title, fill) {
  // Orthanc Explorer 2 opens every page in one window: without a name each gets its own.
  window.name = '';
  try {
    await loadTexts();
    document.title = text(title);
    document.body.prepend(header());
    const asking = showStartPage();
    await fill();
    await asking;
  } catch (error) {
    showError(error);
  }
  document.documentElement.dataset.ready = 'true';
}

/** @param {unknown} error */
export function showError(error) {
  const place = document.querySelector('.stage') || document.querySelector('main') || document.body;
  place.append(errorMessage(error));
}

/** @param {unknown} error @returns {HTMLElement} */
export function errorMessage(error) {
  const sentence = error instanceof Error ? error.message : String(error);
  return element('p', { className: 'message bad', role: 'alert' }, sentence);
}

/**
 * @param {string} name of a parameter of the page.
 * @returns {string | null} an identifier of Orthanc's, or null when there is none.
 */
export function identifier(name) {
  const value = parameters.get(name);
  if (value === null) return null;
  if (!IDENTIFIER.test(value)) throw new Error(text('badIdentifier', { name }));
  return value;
}

/** @param {string} name @param {Record<string, string>} query @returns {string} */
export function pageAddress(name, query) {
  const all = new URLSearchParams({ ...query, ...(from ? { from } : {}) });
  return address(`stl/app/${name}?${all}`);
}

/** @param {string} where shown in the header, after the name. */
export function tellWhere(where) {
  const place = document.querySelector('.bar .where');
  if (place) place.textContent = where;
}

/**
 * The address of a study in the explorer that the reader came from.
 * @param {any} study as /studies/{id} tells it.
 * @returns {string}
 */
export function studyAddress(study) {
  if (from === 'oe2') {
    const uid = encodeURIComponent(study.MainDicomTags.StudyInstanceUID);
    return address(`ui/app/filtered-studies?StudyInstanceUID=${uid}&expand=series`);
  }
  return address(`app/explorer.html#study?uuid=${study.ID}`);
}

/**
 * Shows staff the way back to a study.
 * @param {any} link @param {string | null} study its identifier.
 */
export async function showWayBack(link, study) {
  if (study === null || !(await isStaff)) return;
  link.href = studyAddress(await getJson(`studies/${study}`));
  link.hidden = false;
}

/** The name in the header leads staff to the start page. */
async function showStartPage() {
  if (await isStaff) document.querySelector('.brand')?.setAttribute('href', START_PAGE);
}

function header() {
  return element(
    'header',
    { className: 'bar' },
    element('a', { className: 'brand' }, element('img', { src: address('stl/app/icons/logo.svg'), alt: '' }), element('span', {}, text('brand'))),
    element('span', { className: 'where' }),
    element('nav', { 'aria-label': text('navigation') }, languagePicker()),
  );
}
