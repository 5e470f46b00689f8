/** What differs between two objects of the same make, down to the last field of what they consist of. */

const MOST_REPORTED = 10;

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/**
 * Walks through both graphs side by side. Functions are left out: they are the wiring, which is no state.
 * @param ignored fields, by name, that say nothing about the state
 * @returns paths of fields and both values
 */
export function objectDifferences(left: object, right: object, ignored: readonly string[] = []): string[] {
  const seen = new Set<object>();
  const found: string[] = [];
  const walk = (a: unknown, b: unknown, path: string): void => {
    if (found.length >= MOST_REPORTED) return;
    if (typeof a === "function" && typeof b === "function") return;
    if (!isObject(a) || !isObject(b)) {
      if (!Object.is(a, b) && !(a === 0 && b === 0)) found.push(`${path}: ${String(a)}, ${String(b)}`);
      return;
    }
    if (seen.has(a)) return;
    seen.add(a);
    if (a instanceof Map && b instanceof Map) {
      walk([...a], [...b], path);
      return;
    }
    if (a instanceof Set && b instanceof Set) {
      walk([...a], [...b], path);
      return;
    }
    if (a instanceof DataView && b instanceof DataView) {
      walk(new Uint8Array(a.buffer), new Uint8Array(b.buffer), path);
      return;
    }
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    for (const name of names) {
      if (!ignored.includes(name)) walk(Reflect.get(a, name), Reflect.get(b, name), `${path}.${name}`);
    }
  };
  walk(left, right, "");
  return found;
}
