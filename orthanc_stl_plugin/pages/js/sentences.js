/** Sentences of the server, which speaks English, in the reader's language. */

/** @type {[RegExp, string][]} */
let known = [];

/** @param {Record<string, string>} translations by English sentence, in which each {} stands for a value. */
export function learnSentences(translations) {
  const longestFirst = Object.keys(translations).sort((one, other) => other.length - one.length);
  known = longestFirst.map((english) => {
    const parts = english.split('{}').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return [new RegExp(`^${parts.join('(.+?)')}$`, 's'), translations[english]];
  });
}

/** @param {string} sentence of the server. @returns {string} as it is, where nobody has translated it. */
export function translated(sentence) {
  const [, name, rest] = /^('.+?': |".+?": )(.+)$/s.exec(sentence) || []; // what is said of a structure
  const told = rest && inFull(rest);
  return told ? name + told : inFull(sentence) ?? sentence;
}

/** @param {string} sentence @returns {string | undefined} */
function inFull(sentence) {
  const [pattern, told] = known.find(([one]) => one.test(sentence)) || [];
  if (!pattern || told === undefined) return undefined;
  const values = (pattern.exec(sentence) || []).slice(1).map(translated); // a value may be a part of a sentence itself
  return told.replace(/\{(\d+)\}/g, (_, index) => values[Number(index)]);
}
