/** What the pages ask of Orthanc and of the plugin. */

import { text } from './i18n.js';
import { sentenceText } from './sentences.js';

/** The address of the server's root; the pages lie two levels below it, behind a proxy too. */
export const ROOT = new URL('../../../', import.meta.url);

const PIECE_BYTES = 3 << 22; // a multiple of three: their base64 follow one another without padding

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
    const error = JSON.parse(content);
    sentence = sentenceText({ ...error, Message: error.Details || error.Message || sentence });
  } catch {
    // not ours: the status says it
  }
  throw new ApiError(sentence, answer.status);
}

/** @param {string} path @returns {Promise<any>} */
export async function getJson(path) {
  return (await request(path)).json();
}

/** @param {string} path @param {unknown} body in which files stand for their bytes. @returns {Promise<any>} */
export async function postJson(path, body) {
  const answer = await request(path, { method: 'POST', body: await jsonOf(body) });
  return answer.json();
}

/**
 * Files are put in piece by piece: no browser has a string of 512 MiB.
 * @param {unknown} body @returns {Promise<Uint8Array>} its JSON, with files in base64.
 */
export async function jsonOf(body) {
  /** @type {Blob[]} */
  const files = [];
  const json = JSON.stringify(body, (_, value) => (value instanceof Blob ? `\0${files.push(value) - 1}\0` : value));
  const encoder = new TextEncoder();
  const parts = json.split(/\\u0000(\d+)\\u0000/).map((part, index) => (index % 2 ? files[Number(part)] : encoder.encode(part)));
  const made = new Uint8Array(parts.reduce((sum, part) => sum + (part instanceof Blob ? 4 * Math.ceil(part.size / 3) : part.length), 0));
  let place = 0;
  for (const part of parts) {
    if (part instanceof Blob) {
      for (let start = 0; start < part.size; start += PIECE_BYTES) {
        place += encoder.encodeInto(await base64(part.slice(start, start + PIECE_BYTES)), made.subarray(place)).written;
      }
    } else {
      made.set(part, place);
      place += part.length;
    }
  }
  return made;
}

/** @param {Blob} piece @returns {Promise<string>} */
function base64(piece) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ''));
    reader.onerror = () => reject(new Error(text('fileUnreadable'), { cause: reader.error }));
    reader.readAsDataURL(piece);
  });
}
