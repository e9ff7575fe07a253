/** Where models are. */

import { address } from './api.js';

/** @param {string} instance @param {'glb' | 'stl' | 'obj'} format */
export function modelAddress(instance, format) {
  return address(`instances/${instance}/${format}`);
}
