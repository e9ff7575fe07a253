/** The histogram of a series, with the values that are inside marked. */

const SPACE = 'http://www.w3.org/2000/svg';

/**
 * @param {SVGSVGElement} svg
 * @param {number[]} counts of bins of equal width; drawn by their logarithm: air is most of a scan.
 */
export function drawBars(svg, counts) {
  const highest = Math.log1p(Math.max(...counts));
  svg.setAttribute('viewBox', `0 0 ${counts.length} 100`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.replaceChildren(
    ...counts.map((count, index) => {
      const height = (Math.log1p(count) / highest) * 96;
      return shape('rect', { x: index, y: 100 - height, width: 1.02, height, fill: 'currentColor', opacity: 0.45 });
    }),
    shape('rect', { class: 'inside', y: 0, height: 100, fill: '#ff7a29', opacity: 0.4 }),
  );
}

/**
 * @param {SVGSVGElement} svg
 * @param {number} from @param {number} to shares 0 to 1 of the range of values.
 */
export function markInside(svg, from, to) {
  const bins = svg.children.length - 1;
  const marked = svg.lastElementChild;
  marked?.setAttribute('x', String(from * bins));
  marked?.setAttribute('width', String(Math.max(0, to - from) * bins));
}

function shape(name, attributes) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}
