/** Amounts as people read them; a number and its unit stay on one line. */

const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en");
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });
const UNITS = [["second", 60], ["minute", 60], ["hour", 24], ["day", Infinity]];

/** "83 %" */
export const percent = (share) => `${Math.round(share * 100)}\u00a0%`;

/** "64,120" */
export const whole = (number) => WHOLE.format(number);

/** "1.4 MB" */
export function bytes(count) {
  if (count < 1000) return `${count}\u00a0bytes`;
  return count < 1e6 ? `${NUMBER.format(count / 1e3)}\u00a0kB` : `${NUMBER.format(count / 1e6)}\u00a0MB`;
}

/** "340 ms", "2.1 s" */
export function duration(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)}\u00a0ms`;
  const isShort = milliseconds < 100_000;
  return isShort ? `${(milliseconds / 1000).toFixed(1)}\u00a0s` : `${Math.round(milliseconds / 60_000)}\u00a0min`;
}

/** "3 min ago" */
export function ago(time, now = Date.now()) {
  let amount = Math.min(0, (Date.parse(time) - now) / 1000);
  if (amount > -10) return "just now";
  for (const [unit, next] of UNITS) {
    if (-amount < next) return AGO.format(Math.trunc(amount), unit);
    amount /= next;
  }
}
