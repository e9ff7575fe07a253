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
 * Whether each edge lies in exactly two triangles, once in each direction, after vertices of equal
 * coordinates have become one.
 * @param {ArrayLike<number>} positions
 * @param {ArrayLike<number>} indices
 * @returns {boolean}
 */
export function isClosed(positions, indices) {
  /** @type {Map<string, number>} */
  const numbers = new Map();
  const count = positions.length / 3;
  const place = new Uint32Array(count);
  for (let i = 0; i < count; i += 1) {
    const key = `${positions[3 * i]},${positions[3 * i + 1]},${positions[3 * i + 2]}`;
    let number = numbers.get(key);
    if (number === undefined) numbers.set(key, (number = numbers.size));
    place[i] = number;
  }
  /** @type {Map<number, number>} */
  const edges = new Map();
  for (let i = 0; i < indices.length; i += 3) {
    for (let k = 0; k < 3; k += 1) {
      const from = place[indices[i + k]];
      const to = place[indices[i + ((k + 1) % 3)]];
      const [low, high, sign] = from < to ? [from, to, 1] : [to, from, -1];
      const key = low * numbers.size + high;
      const sum = (edges.get(key) ?? 0) + sign;
      if (sum === 0) edges.delete(key);
      else edges.set(key, sum);
    }
  }
  return edges.size === 0;
}
