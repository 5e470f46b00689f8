/** The long variants of the system tests, run by `npm run test:exhaustive`. */
export const isFull = process.env.OSV_TEST_FULL === "1";
