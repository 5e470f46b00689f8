/** A disk whose changes stay in memory and are gone with it: `--disk FILE,snapshot`. */

import { type Saveable, type SavedState, StateError, StateReader } from "../saved-state.ts";
import type { BlockBackend } from "./block-backend.ts";

/** Changes are kept in pieces of this size: what file systems write at least. */
const CLUSTER_BYTES = 4096;

export class SnapshotOverlay implements BlockBackend, Saveable {
  readonly isReadOnly = false;
  readonly changes = this;
  /** Changed clusters by their number. */
  private readonly clusters = new Map<number, Uint8Array>();

  /** @param base is only read */
  constructor(private readonly base: BlockBackend) {}

  get size(): number {
    return this.base.size;
  }

  read(offset: number, into: Uint8Array): void | Promise<void> {
    const waiting: Promise<void>[] = [];
    for (let done = 0; done < into.length; ) {
      const at = offset + done;
      const index = Math.floor(at / CLUSTER_BYTES);
      const inside = at - index * CLUSTER_BYTES;
      const cluster = this.clusters.get(index);
      if (cluster !== undefined) {
        const piece = cluster.subarray(inside, inside + into.length - done);
        into.set(piece, done);
        done += piece.length;
        continue;
      }
      const end = Math.min(done + this.unchangedFrom(index) * CLUSTER_BYTES - inside, into.length);
      const result = this.base.read(at, into.subarray(done, end));
      if (result !== undefined) waiting.push(result);
      done = end;
    }
    if (waiting.length > 0) return Promise.all(waiting).then(() => {});
  }

  /** How many clusters from this one on are as in the base: read in one piece. At least 1; capped where it does not matter. */
  private unchangedFrom(index: number): number {
    const { clusters } = this;
    let count = 1;
    while (count < 4096 && !clusters.has(index + count)) count++;
    return count;
  }

  write(offset: number, from: Uint8Array): void | Promise<void> {
    const first = Math.floor(offset / CLUSTER_BYTES);
    const last = Math.floor((offset + from.length - 1) / CLUSTER_BYTES);
    const waiting: Promise<void>[] = [];
    for (let index = first; index <= last; index++) {
      if (this.clusters.has(index)) continue;
      const start = index * CLUSTER_BYTES;
      const isWhole = offset <= start && offset + from.length >= start + CLUSTER_BYTES;
      const result = isWhole ? this.add(index) : this.addCopy(index);
      if (result !== undefined) waiting.push(result);
    }
    if (waiting.length > 0) return Promise.all(waiting).then(() => this.put(offset, from));
    this.put(offset, from);
  }

  private add(index: number): void {
    this.clusters.set(index, new Uint8Array(Math.min(CLUSTER_BYTES, this.size - index * CLUSTER_BYTES)));
  }

  /** A cluster that is changed in part begins as what the base has. */
  private addCopy(index: number): void | Promise<void> {
    const start = index * CLUSTER_BYTES;
    const cluster = new Uint8Array(Math.min(CLUSTER_BYTES, this.size - start));
    const keep = (): void => {
      if (!this.clusters.has(index)) this.clusters.set(index, cluster);
    };
    const result = this.base.read(start, cluster);
    if (result !== undefined) return result.then(keep);
    keep();
  }

  private put(offset: number, from: Uint8Array): void {
    for (let done = 0; done < from.length; ) {
      const at = offset + done;
      const index = Math.floor(at / CLUSTER_BYTES);
      const inside = at - index * CLUSTER_BYTES;
      const count = Math.min(from.length - done, CLUSTER_BYTES - inside);
      this.clusters.get(index)?.set(from.subarray(done, done + count), inside);
      done += count;
    }
  }

  flush(): void {}

  save(): SavedState {
    const indexes = [...this.clusters.keys()].sort((a, b) => a - b);
    const clusters = indexes.map((index) => this.clusters.get(index)?.slice());
    return { version: 1, size: this.size, indexes, clusters };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("disk", saved, 1);
    if (state.integer("size", Number.MAX_SAFE_INTEGER) !== this.size)
      throw new StateError("disk: the saved machine's disk had another size");
    const clusters = state.list("clusters");
    const count = Math.ceil(this.size / CLUSTER_BYTES);
    const indexes = state.integers("indexes", clusters.length, Math.max(0, count - 1));
    this.clusters.clear();
    for (const [position, index] of indexes.entries()) {
      const cluster = clusters[position];
      const length = Math.min(CLUSTER_BYTES, this.size - index * CLUSTER_BYTES);
      if (!(cluster instanceof Uint8Array) || cluster.length !== length)
        throw new StateError(`disk: the saved cluster ${index} is damaged`);
      this.clusters.set(index, cluster.slice());
    }
  }
}
