/** What the pages ask of Orthanc and of the plugin. */

import { text } from './i18n.js';
import { translated } from './sentences.js';

/** The address of the server's root; the pages lie two levels below it, behind a proxy too. */
export const ROOT = new URL('../../../', import.meta.url);

/** An answer that is no success; its message is the sentence of the server. */
export class ApiError extends Error {
  /** @param {string} message @param {number} status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} path below the server's root, without a first slash.
 * @returns {string}
 */
export function address(path) {
  return new URL(path, ROOT).href;
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 * @throws {ApiError} with its sentence; Error when there is no answer.
 */
export async function request(path, options) {
  const answer = await fetch(address(path), options).catch((cause) => {
    throw new Error(text('unreachable'), { cause });
  });
  if (answer.ok) return answer;
  if (answer.status === 404) throw new ApiError(text('gone'), answer.status);
  const content = await answer.text();
  let sentence = `${answer.status} ${answer.statusText}`;
  try {
    const told = JSON.parse(content);
    sentence = translated(told.Details || told.Message || sentence);
  } catch {
    // not ours: the status says it
  }
  throw new ApiError(sentence, answer.status);
}

/** @param {string} path @returns {Promise<any>} */
export async function getJson(path) {
  return (await request(path)).json();
}

/** @param {string} path @param {unknown} body @returns {Promise<any>} */
export async function postJson(path, body) {
  const answer = await request(path, { method: 'POST', body: JSON.stringify(body) });
  return answer.json();
}

/** @param {Blob} file @returns {Promise<string>} its bytes in base64. */
export async function base64(file) {
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
  return url.slice(url.indexOf(',') + 1);
}
