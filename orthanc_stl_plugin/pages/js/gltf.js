/** A glTF file as a model: how it looks, its plain shape, and its measures. */

import { enclosedVolume, extent, isClosed } from './measure.js';

const MILLIMETRES_PER_METRE = 1000; // glTF is in metres
const IVORY = 0xe8dcc8;
const ROUGHNESS = 0.55;

/**
 * `colour` is that of the whole model; null where it has pictures or several colours. `volumeMm3` is null
 * where the surface is not closed.
 * @typedef {{id: string, name: string, group: any, materials: any[], plain: any, colour: string | null, opacity: number,
 *   setPlain: (isPlain: boolean) => void,
 *   triangles: number, sizeMm: number[], lowMm: number[], highMm: number[], volumeMm3: number | null}} Model
 */

/**
 * @param {any} three @param {ArrayBuffer} content of a binary glTF file. @param {string} id @param {string} name
 * @returns {Promise<Model>} in millimetres.
 */
export async function readModel(three, content, id, name) {
  const { scene: group } = await new three.GLTFLoader().parseAsync(content, '');
  group.scale.setScalar(MILLIMETRES_PER_METRE);
  group.updateMatrixWorld(true);
  /** @type {any[]} */
  const meshes = [];
  group.traverse((part) => part.isMesh && meshes.push(part));
  const looks = new Map();
  for (const mesh of meshes) {
    if (!looks.has(mesh.material)) looks.set(mesh.material, shown(three, mesh.material));
    mesh.material = looks.get(mesh.material);
  }
  const materials = [...looks.values()];
  const [first] = materials;
  const isPainted = materials.length > 1 || materials.some((one) => one.map || one.emissiveMap || one.vertexColors);
  const plain = new three.MeshStandardMaterial({
    color: isPainted ? IVORY : first.color, roughness: ROUGHNESS, side: three.DoubleSide,
  });
  const painted = meshes.map((mesh) => mesh.material);
  return {
    id, name, group, materials: [...materials, plain], plain, opacity: first.opacity,
    colour: isPainted ? null : `#${first.color.getHexString()}`,
    setPlain: (isPlain) => meshes.forEach((mesh, index) => {
      mesh.material = isPlain ? plain : painted[index];
    }),
    ...measured(three, meshes),
  };
}

/** A material as given, but seen from both sides, and bright: there is nothing here for metal to mirror. */
function shown(three, given) {
  const material = given.clone();
  material.side = three.DoubleSide;
  if ('metalness' in material) {
    material.metalness = Math.min(material.metalness, 0.02);
    material.roughness = Math.max(material.roughness, ROUGHNESS);
    material.metalnessMap = null;
  }
  return material;
}

/** @param {any} three @param {any[]} meshes at their place. */
function measured(three, meshes) {
  const { positions, indices } = joined(three, meshes);
  const { low, high, size } = extent(positions);
  return {
    triangles: indices.length / 3,
    volumeMm3: isClosed(positions, indices) ? Math.abs(enclosedVolume(positions, indices)) : null,
    sizeMm: size,
    lowMm: low,
    highMm: high,
  };
}

/** All triangles in one list, in millimetres: a surface may be closed by several parts together. */
function joined(three, meshes) {
  const places = meshes.map(({ geometry }) => geometry.attributes.position.count);
  const corners = meshes.map(({ geometry }, part) => (geometry.index ? geometry.index.count : places[part]));
  const total = (counts) => counts.reduce((sum, count) => sum + count, 0);
  const positions = new Float32Array(3 * total(places));
  const indices = new Uint32Array(total(corners));
  const point = new three.Vector3();
  let place = 0;
  let corner = 0;
  meshes.forEach(({ geometry, matrixWorld }, part) => {
    const { position } = geometry.attributes;
    for (let i = 0; i < corners[part]; i += 1) indices[corner + i] = place + (geometry.index ? geometry.index.getX(i) : i);
    for (let i = 0; i < places[part]; i += 1) {
      point.fromBufferAttribute(position, i).applyMatrix4(matrixWorld).toArray(positions, 3 * (place + i));
    }
    place += places[part];
    corner += corners[part];
  });
  return { positions, indices };
}
