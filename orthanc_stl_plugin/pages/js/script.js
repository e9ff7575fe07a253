/** Third-party scripts that are no modules, each under an address that names its version. */

import { text } from './i18n.js';

const SCRIPTS = {
  openseadragon: '../viewers/openseadragon-6.1.1/openseadragon.min.js',
  mirador: '../viewers/mirador-4.0.0/mirador.min.js',
};

/**
 * @param {keyof typeof SCRIPTS} name
 * @returns {Promise<void>}
 * @throws {Error} when it is not installed.
 */
export function loadScript(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = new URL(SCRIPTS[name], import.meta.url).href;
    script.onload = () => resolve();
    script.onerror = () => reject(new Error(text('viewersAbsent')));
    document.head.append(script);
  });
}
