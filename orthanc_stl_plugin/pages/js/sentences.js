/** Sentences of the server in the reader's language, made of their code and parameters. */

/**
 * A sentence as the server gives it; Message is the English one, and a parameter may be a sentence.
 * @typedef {{Code?: string, Parameters?: Record<string, any>, Message: string}} Sentence
 */

const MOST_DIGITS = 4;
/** @type {Record<string, string>} */
let texts = {};
let numbers = new Intl.NumberFormat('en');

/** @param {Record<string, string>} byCode in the reader's language. @param {string} locale that writes the numbers. */
export function learnSentences(byCode, locale) {
  texts = byCode;
  numbers = new Intl.NumberFormat(locale, { maximumSignificantDigits: MOST_DIGITS, useGrouping: false });
}

/** @param {Sentence} sentence @returns {string} in English if there is no text for it. */
export function sentenceText({ Code = '', Parameters = {}, Message }) {
  if (!Object.hasOwn(texts, Code)) return Message;
  return texts[Code].replace(/\{(\w+)\}/g, (_, name) => valueText(Parameters[name]));
}

/** @param {any} value of a parameter. @returns {string} */
function valueText(value) {
  if (typeof value === 'object') return sentenceText(value);
  return typeof value !== 'number' || Number.isInteger(value) ? String(value) : numbers.format(value);
}
