/** Dates of the proleptic Gregorian calendar, in UTC, from seconds since 1970. */

export interface DateParts {
  readonly year: number;
  /** 1…12 */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

export const MONTHS = [
  "Jan",
  "Feb",
  "Mar",
  "Apr",
  "May",
  "Jun",
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
] as const;
export const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;

const SECONDS_PER_DAY = 86400;
const DAYS_PER_ERA = 146097; // 400 years

/** After Howard Hinnant's civil_from_days: years begin in March, so that the leap day is the last one. */
export function dateParts(seconds: number): DateParts {
  const days = Math.floor(seconds / SECONDS_PER_DAY);
  const time = seconds - days * SECONDS_PER_DAY;
  const shifted = days + 719468; // since 0000-03-01
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
    hour: Math.floor(time / 3600),
    minute: Math.floor(time / 60) % 60,
    second: Math.floor(time % 60),
    weekday: (((days + 4) % 7) + 7) % 7,
  };
}

const two = (n: number): string => String(n).padStart(2, "0");

/** A format of strftime(3), as far as date(1) is usually asked. */
export function formatDate(format: string, seconds: number, nanoseconds: number): string {
  const { year, month, day, hour, minute, second, weekday } = dateParts(seconds);
  const fields: Readonly<Record<string, string>> = {
    Y: String(year),
    m: two(month),
    d: two(day),
    e: String(day).padStart(2),
    H: two(hour),
    M: two(minute),
    S: two(second),
    y: two(year % 100),
    I: two(hour % 12 === 0 ? 12 : hour % 12),
    p: hour < 12 ? "AM" : "PM",
    a: WEEKDAYS[weekday],
    b: MONTHS[month - 1],
    h: MONTHS[month - 1],
    s: String(seconds),
    N: String(nanoseconds).padStart(9, "0"),
    Z: "UTC",
    z: "+0000",
    u: String(weekday === 0 ? 7 : weekday),
    w: String(weekday),
    n: "\n",
    t: "\t",
    "%": "%",
  };
  const composed: Readonly<Record<string, string>> = {
    F: "%Y-%m-%d",
    T: "%H:%M:%S",
    D: "%m/%d/%y",
    R: "%H:%M",
  };
  return format
    .replace(/%([FTDR])/g, (_, letter: string) => composed[letter])
    .replace(/%(.)/gs, (whole, letter: string) => fields[letter] ?? whole);
}
