/** mirador.html: a manifest of this server in Mirador. */

import { ROOT, address } from './api.js';
import { byId } from './dom.js';
import { currentLanguage, text } from './i18n.js';
import { readDocument } from './manifest.js';
import { identifier, parameters, startPage } from './page.js';
import { askAgain } from './patience.js';
import { loadScript } from './script.js';

startPage('miradorTitle', async () => {
  const manifest = wantedManifest();
  if (await readDocument(manifest) === null) throw new Error(text('noImages'));
  await loadScript('mirador');
  watchViewers(globalThis.Mirador.OSDReferences);
  globalThis.Mirador.viewer({
    id: byId('stage').id,
    language: currentLanguage(),
    selectedTheme: matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light',
    windows: [{ manifestId: manifest, allowClose: false }],
    window: { allowFullscreen: true, sideBarOpenByDefault: false },
    workspaceControlPanel: { enabled: false },
    workspace: { allowNewWindows: false, showZoomControls: true },
    catalog: [{ manifestId: manifest }],
  });
});

/** Tiles that were refused are asked for again in every viewer that Mirador makes: it keeps a React ref to each. */
function watchViewers(references) {
  const { set } = references;
  const watched = new WeakSet();
  references.set = (id, ref) => {
    set.call(references, id, ref);
    if (watched.has(ref)) return;
    watched.add(ref);
    let viewer = ref.current;
    if (viewer) askAgain(viewer);
    Object.defineProperty(ref, 'current', {
      get: () => viewer,
      set: (next) => {
        if (next && next !== viewer) askAgain(next);
        viewer = next;
      },
    });
  };
}

/** @returns {string} its address. */
function wantedManifest() {
  for (const level of ['series', 'study']) {
    const id = identifier(level);
    const folder = level === 'study' ? 'studies' : level;
    if (id) return address(`${folder}/${id}/iiif/manifest.json`);
  }
  const named = parameters.get('manifest');
  if (!named) throw new Error(text('noManifest'));
  const manifest = new URL(named, ROOT);
  const isOurs = manifest.origin === ROOT.origin && manifest.pathname.startsWith(ROOT.pathname);
  if (!isOurs) throw new Error(text('foreignManifest'));
  return manifest.href;
}
