/** The long variants of the system tests, run by `npm run test:full`. */
export const isFull = process.env.OSV_TEST_FULL === "1";
