/** The grey values of a series as the server has reduced them, and pictures of their slices. */

const MASK = [255, 122, 41];
const DARKEST_MASK = 0.45; // of its colour, where the image is black
const SHARE_LEFT_DARK = 0.005; // of the voxels: a few extremes would take all the contrast

/** The three ways to slice: which axis is counted, and which lie across and down the picture. */
export const DIRECTIONS = { slices: [2, 0, 1], rows: [1, 0, 2], columns: [0, 1, 2] };

export class GreyVolume {
  /** @param {any} summary as /series/{id}/stl/values tells it. */
  constructor(summary) {
    const bytes = Uint8Array.from(atob(summary.Values), (one) => one.charCodeAt(0));
    this.stored = new Int16Array(bytes.buffer);
    this.padding = summary.Padding;
    this.shape = summary.Shape;
    this.voxelSizeMm = summary.VoxelSizeMm;
    this.slope = summary.Slope;
    this.intercept = summary.Intercept;
    this.minimum = summary.Minimum;
    this.maximum = summary.Maximum;
    this.window = brightest(summary);
  }

  /** @param {keyof typeof DIRECTIONS} direction @returns {number} how many slices there are. */
  count(direction) {
    return this.shape[DIRECTIONS[direction][0]];
  }

  /** @param {keyof typeof DIRECTIONS} direction @returns {boolean} whether a slice is more than a line. */
  isWide(direction) {
    const [, across, down] = DIRECTIONS[direction];
    return this.shape[across] > 1 && this.shape[down] > 1;
  }

  /**
   * Draws a slice, in the shape that it has in the patient, with what is inside marked.
   * @param {HTMLCanvasElement} canvas
   * @param {keyof typeof DIRECTIONS} direction
   * @param {number} index from 0.
   * @param {{lower: number, upper: number}} range the values inside.
   * @returns {number} the share of the slice that is inside.
   */
  draw(canvas, direction, index, range) {
    const [along, across, down] = DIRECTIONS[direction];
    const strides = [1, this.shape[0], this.shape[0] * this.shape[1]];
    const [width, height] = [this.shape[across], this.shape[down]];
    const image = new ImageData(width, height);
    const [black, white] = this.window;
    const scale = 255 / (white - black || 1);
    let inside = 0;
    for (let y = 0; y < height; y += 1) {
      // slices count from the feet up, pictures from the top down
      const row = down === 2 ? height - 1 - y : y;
      for (let x = 0; x < width; x += 1) {
        const at = index * strides[along] + x * strides[across] + row * strides[down];
        const value = this.stored[at] * this.slope + this.intercept;
        const grey = Math.min(255, Math.max(0, (value - black) * scale));
        const isInside = value >= range.lower && value <= range.upper && this.stored[at] !== this.padding;
        const tint = DARKEST_MASK + ((1 - DARKEST_MASK) * grey) / 255;
        const pixel = 4 * (y * width + x);
        for (let band = 0; band < 3; band += 1) {
          image.data[pixel + band] = isInside ? MASK[band] * tint : grey;
        }
        image.data[pixel + 3] = 255;
        inside += Number(isInside);
      }
    }
    this.#paint(canvas, image, this.voxelSizeMm[across], this.voxelSizeMm[down]);
    return inside / (width * height);
  }

  /** Enlarges the picture to square millimetres. */
  #paint(canvas, image, acrossMm, downMm) {
    const [widthMm, heightMm] = [image.width * acrossMm, image.height * downMm];
    const scale = 640 / Math.max(widthMm, heightMm);
    canvas.width = Math.max(1, Math.round(widthMm * scale));
    canvas.height = Math.max(1, Math.round(heightMm * scale));
    const small = new OffscreenCanvas(image.width, image.height);
    small.getContext('2d')?.putImageData(image, 0, 0);
    const context = canvas.getContext('2d');
    context?.drawImage(small, 0, 0, canvas.width, canvas.height);
  }
}

/** The values that are shown black and white. */
function brightest({ Histogram: counts, Minimum: low, Maximum: high }) {
  const total = counts.reduce((sum, one) => sum + one, 0);
  const width = (high - low) / counts.length;
  let [first, last] = [0, counts.length - 1];
  for (let sum = counts[first]; sum < total * SHARE_LEFT_DARK; sum += counts[first]) first += 1;
  for (let sum = counts[last]; sum < total * SHARE_LEFT_DARK; sum += counts[last]) last -= 1;
  return [low + first * width, low + (last + 1) * width];
}
