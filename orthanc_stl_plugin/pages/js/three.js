/** The parts of three.js that the pages use, under one address that names its version. */

export * from '../viewers/three-0.187.0/three.module.js';
export { GLTFLoader } from '../viewers/three-0.187.0/GLTFLoader.js';
export { OrbitControls } from '../viewers/three-0.187.0/OrbitControls.js';
