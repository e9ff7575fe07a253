/** Where models are, and how several of them are fetched. */

import { address, request } from './api.js';

const MOST_AT_ONCE = 4;

/** @param {string} instance @param {'glb' | 'stl' | 'obj'} format */
export function modelAddress(instance, format) {
  return address(`instances/${instance}/${format}`);
}

/**
 * The GLB files of models in their order, of which a few are asked for before they are taken.
 * @template {{instance: string}} Stored
 * @param {Stored[]} models
 * @yields {[Stored, Promise<ArrayBuffer>]} a failure is met when its turn comes.
 */
export function* contents(models) {
  const begun = [];
  let next = 0;
  for (const model of models) {
    for (; next < models.length && begun.length < MOST_AT_ONCE; next += 1) {
      const asked = content(models[next].instance);
      asked.catch(() => undefined); // whoever takes it is told
      begun.push(asked);
    }
    yield [model, begun.shift()];
  }
}

/** @param {string} instance @returns {Promise<ArrayBuffer>} */
async function content(instance) {
  return (await request(modelAddress(instance, 'glb'))).arrayBuffer();
}
