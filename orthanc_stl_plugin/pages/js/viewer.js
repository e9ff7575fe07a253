/** viewer.html: models together, in their colours, to turn, fade, cut open and measure. */

import { byId, element, save } from './dom.js';
import { text } from './i18n.js';
import { modelsOf, readManifest, studyOf, told } from './manifest.js';
import { contents, modelAddress } from './models.js';
import { errorMessage, identifier, parameters, showWayBack, startPage, tellWhere } from './page.js';
import { Scene, extentText, factsText } from './scene.js';

const SIDES = ['front', 'back', 'left', 'right', 'above', 'below'];

startPage('viewerTitle', async () => {
  const manifests = await wanted();
  const models = manifests.flatMap(modelsOf);
  if (manifests.length === 1) {
    tellWhere(told(manifests[0].label));
    await showWayBack(byId('back'), studyOf(manifests[0]));
  }
  if (!models.length) throw new Error(text('noModels'));
  const scene = await Scene.create(byId('stage')).catch((error) => {
    byId('models').append(...models.map(({ instance, name }) => element('li', {}, name, files(instance, name))));
    throw error;
  });
  const bar = byId('loading-bar');
  bar.max = models.length;
  byId('loading').hidden = false;
  for (const [model, content] of contents(models)) {
    await add(scene, model, content);
    bar.value += 1;
  }
  byId('loading').hidden = true;
  if (!scene.models.length) return;
  tools(scene);
  plain(scene);
  cutting(scene);
  total(scene);
  scene.frame();
});

/** @returns {Promise<any[]>} the manifests of what the address names; those with nothing to see are left out. */
async function wanted() {
  const [instance, series, study] = ['instance', 'series', 'study'].map(identifier);
  const several = (parameters.get('studies') || '').split(',').filter((one) => /^[0-9a-f-]{44}$/.test(one));
  const asked = [['instance', instance], ['series', series], ['study', study]].find(([, id]) => id);
  if (!asked && !several.length) throw new Error(text('nothingNamed'));
  const found = asked ? [readManifest(...asked)] : several.map((one) => readManifest('study', one));
  return (await Promise.all(found)).filter(Boolean);
}

/** @param {Scene} scene @param {import('./manifest.js').StoredModel} stored @param {Promise<ArrayBuffer>} content */
async function add(scene, stored, content) {
  const list = byId('models');
  try {
    const model = await scene.add(stored.instance, await content, stored.name);
    list.append(entry(scene, model));
    const count = scene.models.length;
    if ((count & (count - 1)) === 0) scene.frame(); // the 1st, 2nd, 4th, 8th...: a picture draws all that there are
  } catch (error) {
    if (error instanceof Error) error.message = `${stored.name}: ${error.message}`;
    list.append(element('li', {}, errorMessage(error)));
  }
}

/** @param {Scene} scene @param {import('./scene.js').Model} model */
function entry(scene, model) {
  const id = `model-${model.id}`;
  const shown = element('input', { type: 'checkbox', id, checked: true, onchange: () => scene.show(model, shown.checked) });
  const swatch = element('span', { className: model.colour === null ? 'swatch painted' : 'swatch' });
  if (model.colour !== null) swatch.style.background = model.colour;
  const slider = element('input', {
    type: 'range', min: '0', max: '100', value: String(Math.round(model.opacity * 100)),
    'aria-label': text('opacityOf', { name: model.name }),
    oninput: () => scene.fade(model, Number(slider.value) / 100),
  });
  return element(
    'li', { className: 'model' }, shown,
    element('label', { className: 'name', htmlFor: id }, swatch, model.name),
    element('p', { className: 'facts-line small quiet' }, factsText(model)),
    element('div', { className: 'opacity small' }, element('span', { 'aria-hidden': 'true' }, text('opacity')), slider),
    files(model.id, model.name),
  );
}

/** @param {string} instance @param {string} name */
function files(instance, name) {
  return element('p', { className: 'links small row' }, ...['stl', 'glb', 'obj'].map((format) => element('a', {
    href: modelAddress(instance, format), download: '', 'aria-label': text('downloadOf', { format: format.toUpperCase(), name }),
  }, format.toUpperCase())));
}

/** @param {Scene} scene */
function tools(scene) {
  const place = byId('tools');
  for (const side of SIDES) {
    place.append(element('button', { type: 'button', onclick: () => scene.look(side) }, text(`side.${side}`)));
  }
  place.append(element('button', {
    type: 'button', id: 'screenshot', onclick: async () => save(await scene.picture(), 'model.png'),
  }, text('screenshot')));
  place.hidden = false;
}

/** @param {Scene} scene */
function plain(scene) {
  const paint = byId('paint');
  byId('painting').hidden = scene.models.every((model) => model.colour !== null);
  paint.addEventListener('change', () => scene.plain(!paint.checked));
}

/** @param {Scene} scene */
function cutting(scene) {
  const axis = byId('cut-axis');
  const place = byId('cut-place');
  for (const [value, key] of [['', 'cut.none'], ['x', 'cut.x'], ['z', 'cut.z'], ['y', 'cut.y']]) {
    axis.add(new Option(text(key), value));
  }
  const change = () => {
    place.disabled = axis.value === '';
    scene.cut(axis.value || null, Number(place.value) / 1000);
  };
  axis.addEventListener('change', change);
  place.addEventListener('input', change);
  byId('cutting').hidden = false;
}

/** @param {Scene} scene */
function total(scene) {
  const size = scene.box.getSize(new scene.three.Vector3());
  byId('size').textContent = extentText(size.toArray());
  byId('together').hidden = false;
}
