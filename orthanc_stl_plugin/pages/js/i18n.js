/** The texts of the pages, in the reader's language. */

import { learnSentences } from './sentences.js';

const LANGUAGES = { en: 'English', fr: 'Français' };
const KEPT_AS = 'orthanc-stl-plugin.language';
/** @type {Record<string, string>} */
let texts = {};
let language = 'en';
/** The language as the reader's region writes numbers and dates. */
let locale = 'en';

/** @returns {string} */
export function currentLanguage() {
  return language;
}

/** Loads the texts: of ?lang=, of the last choice, or of the browser's languages; else English. */
export async function loadTexts() {
  const asked = new URLSearchParams(location.search).get('lang');
  const wanted = [asked, kept(), ...navigator.languages].map((one) => (one || '').slice(0, 2));
  language = wanted.find((one) => one in LANGUAGES) || 'en';
  locale = navigator.languages.find((one) => one.slice(0, 2) === language) || language;
  const isEnglish = language === 'en';
  const [english, own, sentences] = await Promise.all([read('texts/en'), ...(isEnglish ? [] : [read(`texts/${language}`), read(`sentences/${language}`)])]);
  texts = { ...english, ...own };
  learnSentences(sentences || {}, locale);
  document.documentElement.lang = language;
  for (const one of document.querySelectorAll('[data-text]')) {
    one.textContent = text(one.getAttribute('data-text') || '');
  }
  for (const one of document.querySelectorAll('[data-label]')) {
    one.setAttribute('aria-label', text(one.getAttribute('data-label') || ''));
  }
}

/** @param {string} key @returns {boolean} */
export function hasText(key) {
  return key in texts;
}

/**
 * @param {string} key of texts/*.json.
 * @param {Record<string, string | number>} [values] what stands for {name} in the text; where there
 *   is a text `key.one`, the number `count` decides, as the language does, which of both is meant.
 * @returns {string}
 */
export function text(key, values = {}) {
  const { count } = values;
  const form = typeof count === 'number' ? new Intl.PluralRules(language).select(count) : '';
  const found = texts[`${key}.${form}`] ?? texts[key];
  if (found === undefined) throw new Error(`no text is called ${key}`);
  return found.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** @param {number} value @param {number} [digits] significant ones. */
export function number(value, digits = 3) {
  const rounding = Math.abs(value) >= 10 ** digits ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits };
  return new Intl.NumberFormat(locale, rounding).format(value);
}

/** @param {Date} moment @returns {string} */
export function dateTime(moment) {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(moment);
}

/** @returns {HTMLSelectElement} chooses the language and loads the page again. */
export function languagePicker() {
  const picker = document.createElement('select');
  picker.setAttribute('aria-label', text('language'));
  for (const [code, name] of Object.entries(LANGUAGES)) {
    picker.add(new Option(name, code, code === language, code === language));
  }
  picker.addEventListener('change', () => {
    try {
      localStorage.setItem(KEPT_AS, picker.value);
    } catch {
      // private windows keep nothing
    }
    const next = new URL(location.href);
    next.searchParams.set('lang', picker.value);
    location.replace(next);
  });
  return picker;
}

function kept() {
  try {
    return localStorage.getItem(KEPT_AS);
  } catch {
    return null;
  }
}

/** @param {string} name of a file of texts. */
async function read(name) {
  const answer = await fetch(new URL(`../${name}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`the texts cannot be read: ${answer.status}`);
  return answer.json();
}
