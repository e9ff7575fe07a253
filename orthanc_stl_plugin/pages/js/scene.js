/** A room with models in it, lit and turned by hand; on three.js. Lengths are millimetres. */

import { readModel } from './gltf.js';
import { number, text } from './i18n.js';
import { sizeText, volumeText } from './units.js';

const FIELD_OF_VIEW_DEGREES = 35;
const STEP_DEGREES = 7.5;
const VIEWS = { front: [0, 0, 1], back: [0, 0, -1], left: [1, 0, 0], right: [-1, 0, 0], above: [0, 1, 0.001], below: [0, -1, 0.001] };

/** @typedef {import('./gltf.js').Model} Model */

export class Scene {
  /**
   * @param {HTMLElement} stage is filled by the picture.
   * @returns {Promise<Scene>}
   */
  static async create(stage) {
    let three;
    try {
      three = await import('./three.js');
    } catch (error) {
      throw new Error(text('viewersAbsent'), { cause: error });
    }
    try {
      return new Scene(stage, three);
    } catch (error) {
      throw new Error(text('noWebGl'), { cause: error });
    }
  }

  /** @param {HTMLElement} stage @param {any} three */
  constructor(stage, three) {
    this.three = three;
    this.stage = stage;
    /** @type {Model[]} */
    this.models = [];
    this.renderer = new three.WebGLRenderer({ antialias: true, alpha: true, preserveDrawingBuffer: true });
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.localClippingEnabled = true;
    const canvas = this.renderer.domElement;
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', text('stageLabel'));
    canvas.addEventListener('keydown', (event) => this.#key(event));
    stage.append(canvas);
    this.camera = new three.PerspectiveCamera(FIELD_OF_VIEW_DEGREES, 1, 0.1, 10_000);
    this.world = new three.Scene();
    this.#light();
    this.controls = new three.OrbitControls(this.camera, canvas);
    this.controls.addEventListener('change', () => this.draw());
    this.controls.addEventListener('start', () => {
      this.isTurned = true;
    });
    this.isTurned = false;
    this.plane = new three.Plane(new three.Vector3(-1, 0, 0), 0);
    this.box = new three.Box3();
    this.isToBeDrawn = false;
    new ResizeObserver(() => this.#resize()).observe(stage);
    this.#resize();
  }

  /**
   * @param {string} id of the instance. @param {ArrayBuffer} glb its file. @param {string} name
   * @returns {Promise<Model>}
   */
  async add(id, glb, name) {
    const model = await readModel(this.three, glb, id, name);
    this.models.push(model);
    this.world.add(model.group);
    for (const corner of [model.lowMm, model.highMm]) this.box.expandByPoint(new this.three.Vector3(...corner));
    return model;
  }

  /** Looks at all models from one side. @param {keyof typeof VIEWS} side */
  look(side = 'front') {
    const centre = this.box.getCenter(new this.three.Vector3());
    const radius = Math.max(this.box.getSize(new this.three.Vector3()).length() / 2, 1e-3);
    const narrow = Math.min(1, this.camera.aspect);
    const distance = (radius / Math.sin((FIELD_OF_VIEW_DEGREES * Math.PI) / 360) / narrow) * 1.02;
    const direction = new this.three.Vector3(...VIEWS[side]).normalize();
    this.controls.target.copy(centre);
    this.camera.position.copy(centre).addScaledVector(direction, distance);
    this.camera.near = distance / 500;
    this.camera.far = distance + radius * 40;
    this.camera.updateProjectionMatrix();
    this.controls.update();
    this.draw();
  }

  /** Looks at all models from the front, but for a reader who has turned them already. */
  frame() {
    if (this.isTurned) this.draw();
    else this.look();
  }

  /** @param {Model} model @param {boolean} isShown */
  show(model, isShown) {
    model.group.visible = isShown;
    this.draw();
  }

  /** @param {Model} model @param {number} opacity 0 to 1. */
  fade(model, opacity) {
    for (const material of model.materials) {
      material.opacity = opacity;
      material.transparent = opacity < 1;
      material.depthWrite = opacity >= 1;
      material.needsUpdate = true;
    }
    this.draw();
  }

  /** Shows shapes alone, as a printer makes them. @param {boolean} isPlain */
  plain(isPlain) {
    for (const model of this.models) model.setPlain(isPlain);
    this.draw();
  }

  /**
   * Cuts all models open along a plane.
   * @param {'x' | 'y' | 'z' | null} axis null for none. @param {number} share 0 to 1 of the extent.
   */
  cut(axis, share) {
    if (axis !== null) {
      const normal = { x: [-1, 0, 0], y: [0, -1, 0], z: [0, 0, -1] }[axis];
      this.plane.normal.set(...normal);
      this.plane.constant = this.box.min[axis] + share * (this.box.max[axis] - this.box.min[axis]);
    }
    const planes = axis === null ? [] : [this.plane];
    for (const material of this.models.flatMap((model) => model.materials)) material.clippingPlanes = planes;
    this.draw();
  }

  /** @returns {Promise<Blob>} the picture as PNG. */
  picture() {
    this.#render();
    return new Promise((resolve, reject) => {
      this.renderer.domElement.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(text('noPicture')))));
    });
  }

  /** Draws when the browser shows its next picture, however often it is asked: a hundred models take long. */
  draw() {
    if (this.isToBeDrawn) return;
    this.isToBeDrawn = true;
    requestAnimationFrame(() => this.#render());
  }

  #render() {
    this.isToBeDrawn = false;
    this.renderer.render(this.world, this.camera);
  }

  #light() {
    const { HemisphereLight, DirectionalLight } = this.three;
    this.world.add(new HemisphereLight(0xffffff, 0x4a4038, 1.5));
    const key = new DirectionalLight(0xffffff, 2.1);
    key.position.set(-0.6, 0.8, 1);
    const rim = new DirectionalLight(0xcfe0ff, 0.8);
    rim.position.set(0.9, 0.3, -0.7);
    this.camera.add(key, rim, key.target, rim.target); // they go round with the one who looks
    this.world.add(this.camera);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!width || !height) return;
    this.renderer.setSize(width, height);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.#render(); // at once: another size has emptied the picture
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = (STEP_DEGREES * Math.PI) / 180;
    const turns = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key in turns) this.#turn(...turns[event.key]);
    else if (event.key === '+' || event.key === '=') this.#approach(1 / 1.15);
    else if (event.key === '-') this.#approach(1.15);
    else if (event.key === 'Home' || event.key === '0') this.look();
    else return;
    this.isTurned = true;
    event.preventDefault();
  }

  #turn(about, tilt) {
    const offset = this.camera.position.clone().sub(this.controls.target);
    const place = new this.three.Spherical().setFromVector3(offset);
    place.theta += about;
    place.phi = Math.min(Math.PI - 0.01, Math.max(0.01, place.phi + tilt));
    this.camera.position.copy(this.controls.target).add(offset.setFromSpherical(place));
    this.controls.update();
    this.draw();
  }

  #approach(factor) {
    const offset = this.camera.position.clone().sub(this.controls.target).multiplyScalar(factor);
    this.camera.position.copy(this.controls.target).add(offset);
    this.controls.update();
    this.draw();
  }
}

/** @param {Model} model @returns {string} its measures, in a line. */
export function factsText(model) {
  const size = model.volumeMm3 === null ? text('notClosed') : volumeText(model.volumeMm3);
  return `${extentText(model.sizeMm)} · ${size} · ${text('triangles', { count: number(model.triangles, 9) })}`;
}

/** @param {number[]} sizeMm along x, y and z of glTF. @returns {string} width x depth x height. */
export function extentText([x, y, z]) {
  return sizeText([x, z, y]);
}
