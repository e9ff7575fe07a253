/** The labels in a NIfTI file, to choose from before it is sent (NIfTI-1 and NIfTI-2). */

import { text } from './i18n.js';

const MOST_LABELS = 1000;
/** By datatype code: how to read one voxel, and its bytes. */
const READERS = {
  2: ['getUint8', 1], 256: ['getInt8', 1], 4: ['getInt16', 2], 512: ['getUint16', 2], 8: ['getInt32', 4], 768: ['getUint32', 4],
  16: ['getFloat32', 4], 64: ['getFloat64', 8],
};

/**
 * @param {File} file
 * @returns {Promise<import('./structures.js').Structure[]>} of each value that is not zero; empty
 *   where it cannot be told here: the server then takes all voxels that are not zero.
 */
export async function labelsOf(file) {
  const bytes = await unpacked(file);
  const head = bytes && header(new DataView(bytes));
  if (!head || !(head.datatype in READERS)) return [];
  const counts = tally(new DataView(bytes), head);
  if (!counts) return [];
  const names = labelNames(bytes, head);
  return [...counts.keys()].sort((one, other) => one - other).map((value) => ({
    Number: value,
    Name: names.get(value) || text('labelNumber', { number: value }),
    Color: null,
    VolumeMm3: (counts.get(value) || 0) * head.voxelMm3,
    CanBeMeshed: true,
    Reason: '',
  }));
}

/** @param {File} file @returns {Promise<ArrayBuffer | null>} */
async function unpacked(file) {
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (start[0] !== 0x1f || start[1] !== 0x8b) return file.arrayBuffer();
  try {
    return await new Response(file.stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
  } catch {
    return null; // the server tells what is wrong with it
  }
}

/** @param {DataView} view */
function header(view) {
  if (view.byteLength < 540) return null;
  const isLittle = [348, 540].includes(view.getInt32(0, true));
  const size = view.getInt32(0, isLittle);
  if (size !== 348 && size !== 540) return null;
  const isSecond = size === 540;
  const length = (index) => (isSecond ? Number(view.getBigInt64(16 + 8 * index, isLittle)) : view.getInt16(40 + 2 * index, isLittle));
  const spacing = (index) => (isSecond ? view.getFloat64(104 + 8 * index, isLittle) : view.getFloat32(76 + 4 * index, isLittle));
  const unit = (isSecond ? view.getInt32(500, isLittle) : view.getUint8(123)) & 7;
  const millimetres = { 1: 1000, 3: 0.001 }[unit] || 1;
  return {
    size, isLittle,
    datatype: view.getInt16(isSecond ? 12 : 70, isLittle),
    voxels: Math.max(1, length(1)) * Math.max(1, length(2)) * Math.max(1, length(3)),
    voxelMm3: Math.abs(spacing(1) * spacing(2) * spacing(3)) * millimetres ** 3,
    start: isSecond ? Number(view.getBigInt64(168, isLittle)) : view.getFloat32(108, isLittle),
    slope: isSecond ? view.getFloat64(176, isLittle) : view.getFloat32(112, isLittle),
    intercept: isSecond ? view.getFloat64(184, isLittle) : view.getFloat32(116, isLittle),
  };
}

/** How often each whole number above zero occurs; null when the values are no labels. */
function tally(view, head) {
  const [read, bytes] = READERS[head.datatype];
  if (head.start + head.voxels * bytes > view.byteLength) return null;
  const isScaled = head.slope !== 0 && (head.slope !== 1 || head.intercept !== 0);
  const counts = new Map();
  for (let i = 0; i < head.voxels; i += 1) {
    let value = view[read](head.start + i * bytes, head.isLittle);
    if (isScaled) value = value * head.slope + head.intercept;
    if (value !== 0) {
      if (!Number.isInteger(value) || value < 0 || counts.size > MOST_LABELS) return null;
      counts.set(value, (counts.get(value) || 0) + 1);
    }
  }
  return counts;
}

/** The names in the header extension that TotalSegmentator writes, by number. */
function labelNames(bytes, { size, start }) {
  const names = new Map();
  const extension = new TextDecoder().decode(bytes.slice(size, start));
  for (const [, key, name] of extension.matchAll(/<Label\s[^>]*\bKey="(\d+)"[^>]*>(?:<!\[CDATA\[)?([^<\]]*)/g)) {
    names.set(Number(key), name.trim());
  }
  return names;
}
