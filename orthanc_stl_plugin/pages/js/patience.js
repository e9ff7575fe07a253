/**
 * Tiles of a huge image may be answered 503 while its levels are made: Retry-After, five or ten seconds.
 * OpenSeadragon takes such a tile for one that does not exist. Its own options to ask again bring the
 * tile, but do not draw it before the view is moved; they also go on with what is no longer seen.
 */

const DELAY_MS = 5000;
const MOST_TRIES = 36;

/** Lets tiles that a viewer could not load be asked for again, as long as they are in its view. */
export function askAgain(viewer) {
  const tries = new WeakMap();
  viewer.addHandler('tile-load-failed', ({ tile, tiledImage }) => {
    const count = (tries.get(tile) ?? 0) + 1;
    if (count > MOST_TRIES) return;
    tries.set(tile, count);
    setTimeout(() => {
      if (!viewer.isOpen() || viewer.world.getIndexOfItem(tiledImage) < 0) return;
      tile.exists = true;
      tiledImage.update(true);
    }, DELAY_MS);
  });
}
