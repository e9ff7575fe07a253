/** viewer.html: models together, in their colours, to turn, fade, cut open and measure. */

import { getJson } from './api.js';
import { byId, element, save } from './dom.js';
import { number, text, volume } from './i18n.js';
import { modelAddress, modelsOfSeries, modelsOfStudy, storedModel } from './models.js';
import { errorMessage, identifier, parameters, startPage, studyAddress, tellWhere } from './page.js';
import { Scene, sizeText } from './scene.js';

const SIDES = ['front', 'back', 'left', 'right', 'above', 'below'];

startPage('viewerTitle', async () => {
  const { models, study } = await wanted();
  if (study) {
    tellWhere(study.MainDicomTags.StudyDescription || '');
    byId('back').href = studyAddress(study);
    byId('back').hidden = false;
  }
  if (!models.length) throw new Error(text('noModels'));
  const scene = await Scene.create(byId('stage'));
  byId('loading').hidden = false;
  for (const model of models) await add(scene, model);
  byId('loading').hidden = true;
  if (!scene.models.length) return;
  tools(scene);
  cutting(scene);
  total(scene);
  scene.look();
});

/** The models that the address names, and the study they are of. */
async function wanted() {
  const [instance, series, study] = ['instance', 'series', 'study'].map(identifier);
  const several = (parameters.get('studies') || '').split(',').filter((one) => /^[0-9a-f-]{44}$/.test(one));
  if (instance) {
    return { models: [await storedModel(instance)], study: await getJson(`instances/${instance}/study`) };
  }
  if (series) return { models: await modelsOfSeries(series), study: await getJson(`series/${series}/study`) };
  if (study) return { models: await modelsOfStudy(study), study: await getJson(`studies/${study}`) };
  if (several.length) return { models: (await Promise.all(several.map(modelsOfStudy))).flat(), study: null };
  throw new Error(text('nothingNamed'));
}

/** @param {Scene} scene @param {import('./models.js').StoredModel} stored */
async function add(scene, stored) {
  const list = byId('models');
  try {
    const model = await scene.add(stored.instance, modelAddress(stored.instance, 'glb'), stored.name);
    list.append(entry(scene, model));
    scene.look();
  } catch (error) {
    if (error instanceof Error) error.message = `${stored.name}: ${error.message}`;
    list.append(element('li', {}, errorMessage(error)));
  }
}

/** @param {Scene} scene @param {import('./scene.js').Model} model */
function entry(scene, model) {
  const id = `model-${model.id}`;
  const shown = element('input', { type: 'checkbox', id, checked: true, onchange: () => scene.show(model, shown.checked) });
  const swatch = element('span', { className: 'swatch' });
  swatch.style.background = model.colour;
  const slider = element('input', {
    type: 'range', min: '0', max: '100', value: String(Math.round(model.material.opacity * 100)),
    'aria-label': text('opacityOf', { name: model.name }),
    oninput: () => scene.fade(model, Number(slider.value) / 100),
  });
  const size = model.isClosed === false ? text('notClosed') : volume(Math.abs(model.volumeMm3));
  return element(
    'li', { className: 'model' }, shown,
    element('label', { className: 'name', htmlFor: id }, swatch, model.name),
    element('p', { className: 'facts-line small quiet' }, `${sizeText(model)} · ${size} · ${text('triangles', { count: number(model.triangles, 9) })}`),
    element('div', { className: 'opacity small' }, element('span', { 'aria-hidden': 'true' }, text('opacity')), slider),
    element('p', { className: 'links small row' }, ...['stl', 'glb', 'obj'].map((format) => element('a', {
      href: modelAddress(model.id, format), download: '', 'aria-label': text('downloadOf', { format: format.toUpperCase(), name: model.name }),
    }, format.toUpperCase()))),
  );
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
  byId('size').textContent = sizeText({ sizeMm: [size.x, size.y, size.z] });
  byId('together').hidden = false;
}
