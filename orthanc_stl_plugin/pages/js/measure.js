/** Measures of triangle meshes, in the unit of their vertices. */

/**
 * The volume that a closed surface encloses: the sum of the signed tetrahedra from the first
 * vertex to each triangle.
 * @param {ArrayLike<number>} positions x, y, z of each vertex.
 * @param {ArrayLike<number>} indices three of each triangle.
 * @returns {number}
 */
export function enclosedVolume(positions, indices) {
  const [x0, y0, z0] = [positions[0], positions[1], positions[2]];
  let six = 0;
  for (let i = 0; i < indices.length; i += 3) {
    const a = 3 * indices[i];
    const b = 3 * indices[i + 1];
    const c = 3 * indices[i + 2];
    const [ax, ay, az] = [positions[a] - x0, positions[a + 1] - y0, positions[a + 2] - z0];
    const [bx, by, bz] = [positions[b] - x0, positions[b + 1] - y0, positions[b + 2] - z0];
    const [cx, cy, cz] = [positions[c] - x0, positions[c + 1] - y0, positions[c + 2] - z0];
    six += ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx);
  }
  return six / 6;
}

/**
 * @param {ArrayLike<number>} positions
 * @returns {{size: number[], low: number[], high: number[]}} along x, y and z.
 */
export function extent(positions) {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < positions.length; i += 1) {
    const axis = i % 3;
    if (positions[i] < low[axis]) low[axis] = positions[i];
    if (positions[i] > high[axis]) high[axis] = positions[i];
  }
  return { low, high, size: high.map((value, axis) => value - low[axis]) };
}

/**
 * Whether each edge is passed as often in one direction as in the other, vertices of equal
 * coordinates being one: then nothing is open. Each pass adds a number that its edge alone has, to
 * be taken off by the pass back; two sums of 32 bits that are zero by chance are not to be expected.
 * @param {Float32Array} positions
 * @param {ArrayLike<number>} indices
 * @returns {boolean}
 */
export function isClosed(positions, indices) {
  const bits = new Uint32Array(Float32Array.from(positions, (one) => one + 0).buffer); // -0 is 0
  const place = new Uint32Array(positions.length / 3);
  for (let i = 0; i < place.length; i += 1) {
    place[i] = mixed(mixed(mixed(1, bits[3 * i]), bits[3 * i + 1]), bits[3 * i + 2]);
  }
  let [sum, other] = [0, 0];
  for (let i = 0; i < indices.length; i += 3) {
    for (let k = 0; k < 3; k += 1) {
      const from = place[indices[i + k]];
      const to = place[indices[i + ((k + 1) % 3)]];
      if (from === to) continue;
      const [low, high, sign] = from < to ? [from, to, 1] : [to, from, -1];
      const edge = mixed(low, high);
      sum = (sum + sign * edge) | 0;
      other = (other + sign * mixed(edge, low)) | 0;
    }
  }
  return sum === 0 && other === 0;
}

/** @param {number} seed @param {number} value @returns {number} 32 bits that depend on each of both (MurmurHash3). */
function mixed(seed, value) {
  let hash = Math.imul(value, 0xcc9e2d51);
  hash = seed ^ Math.imul((hash << 15) | (hash >>> 17), 0x1b873593);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
