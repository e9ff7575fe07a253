/** The progress of what was ordered, and what came out, in place. */

import { address, postJson } from './api.js';
import { byId, element } from './dom.js';
import { text } from './i18n.js';
import { cancel, follow, stageText } from './jobs.js';
import { contents, modelAddress } from './models.js';
import { errorMessage, pageAddress } from './page.js';
import { Scene, factsText } from './scene.js';
import { sentenceText } from './sentences.js';

const MOST_IN_PLACE = 12;

/**
 * Orders models and shows how far they are, and what came out.
 * @param {string} route @param {Record<string, unknown>} body @param {string} backAddress
 */
export async function order(route, body, backAddress) {
  const place = byId('outcome');
  const bar = byId('progress-bar');
  const stop = byId('cancel');
  byId('result').replaceChildren();
  place.hidden = false;
  byId('progress').hidden = false;
  bar.removeAttribute('value');
  stop.hidden = true;
  byId('progress-text').textContent = text('stage.sending');
  place.scrollIntoView({ block: 'nearest' });
  try {
    const ticket = await postJson(route, { ...body, Asynchronous: true });
    const path = ticket.Path.replace(/^\//, '');
    stop.hidden = false;
    stop.onclick = () => cancel(path).catch(() => undefined); // it has ended: its state tells
    const job = await follow(path, (now) => {
      bar.value = now.Progress;
      byId('progress-text').textContent = `${stageText(now)} ${now.Progress} %`;
    });
    byId('progress').hidden = true;
    await showModels(job.Content.Instances, backAddress);
  } catch (error) {
    byId('result').append(errorMessage(error));
  } finally {
    byId('progress').hidden = true;
  }
}

/** @param {any[]} instances as the job tells them. @param {string} backAddress */
async function showModels(instances, backAddress) {
  const warnings = instances.flatMap((one) => one.WarningDetails || []);
  const stage = element('div', { className: 'result-stage' });
  const list = element('ul', { className: 'plain' });
  const [first] = instances;
  byId('result').append(
    element('p', { className: 'message good', role: 'status' }, text('made', { count: instances.length })),
    ...warnings.map((warning) => element('p', { className: 'message' }, sentenceText(warning))),
    stage,
    list,
    element('p', { className: 'row' },
      element('a', { className: 'button main', href: pageAddress('viewer.html', { series: first.ParentSeries }) }, text('openViewer')),
      element('a', { className: 'button', href: backAddress }, text('backToStudy'))),
  );
  stage.scrollIntoView({ block: 'nearest' });
  let scene = null;
  try {
    scene = await Scene.create(stage);
  } catch (error) {
    stage.replaceWith(errorMessage(error));
  }
  const told = instances.map((one) => {
    const facts = element('span', { className: 'quiet small' });
    list.append(entry(one, facts));
    return { instance: one.ID, name: one.Name, facts };
  });
  for (const [one, content] of contents(scene ? told.slice(0, MOST_IN_PLACE) : [])) {
    try {
      one.facts.textContent = ` ${factsText(await scene.add(one.instance, await content, one.name))}`;
      scene.frame();
    } catch (error) {
      one.facts.replaceChildren(errorMessage(error));
    }
  }
}

/** @param {any} instance @param {HTMLElement} facts is filled when the model has come. */
function entry(instance, facts) {
  return element(
    'li', { className: 'row spread' },
    element('span', {}, element('strong', {}, instance.Name), facts),
    element('span', { className: 'row small' }, ...['stl', 'glb', 'obj'].map((format) => element('a', {
      href: modelAddress(instance.ID, format), download: '', 'aria-label': text('downloadOf', { format: format.toUpperCase(), name: instance.Name }),
    }, format.toUpperCase())), element('a', { href: address(`app/explorer.html#instance?uuid=${instance.ID}`) }, 'DICOM')),
  );
}
