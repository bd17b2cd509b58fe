import fc from "fast-check";
import { UNIT_SPELLINGS } from "../../src/core/duration.js";

/** Texts that are limits, and what they mean. Run time and compile time are held against the same table. */
export const validLimitTexts = [
  { text: "10 per hour", means: "10 per 1 hour" },
  { text: "10/hour", means: "10 per 1 hour" },
  { text: "10 per 2 hours", means: "10 per 2 hour" },
  {
    text: "5/2 seconds;10/hour;100/day;2000 per year",
    means: "5 per 2 second,10 per 1 hour,100 per 1 day,2000 per 1 year",
  },
  { text: "100/day, 500/7 days", means: "100 per 1 day,500 per 7 day" },
  { text: "1/second|2/minute", means: "1 per 1 second,2 per 1 minute" },
  {
    text: "1/second , 2/minute;3/hour | 4/day",
    means: "1 per 1 second,2 per 1 minute,3 per 1 hour,4 per 1 day",
  },
  { text: "1/second;1/second", means: "1 per 1 second,1 per 1 second" },

  { text: "1persecond", means: "1 per 1 second" },
  { text: "10per2minutes", means: "10 per 2 minute" },
  { text: "1  PER minute", means: "1 per 1 minute" },
  { text: "1 Per\tMinute", means: "1 per 1 minute" },
  { text: "1\n/\nsecond", means: "1 per 1 second" },
  { text: " 1/second ", means: "1 per 1 second" },
  { text: "1/SECONDS", means: "1 per 1 second" },
  { text: "1 / Second", means: "1 per 1 second" },
  { text: "1/7days", means: "1 per 7 day" },
  { text: "1 per  2   days", means: "1 per 2 day" },

  { text: "0/second", means: "0 per 1 second" },
  { text: "00010/second", means: "10 per 1 second" },
  { text: "9007199254740991/day", means: "9007199254740991 per 1 day" },
  { text: "1 per 007 days", means: "1 per 7 day" },
  { text: "1 per 1000 years", means: "1 per 1000 year" },
  { text: "1 per 52142 weeks", means: "1 per 52142 week" },

  { text: "10/s", means: "10 per 1 second" },
  { text: "10/sec", means: "10 per 1 second" },
  { text: "10/m", means: "10 per 1 minute" },
  { text: "10/M", means: "10 per 1 minute" },
  { text: "10/min", means: "10 per 1 minute" },
  { text: "10/h", means: "10 per 1 hour" },
  { text: "10/hr", means: "10 per 1 hour" },
  { text: "10/d", means: "10 per 1 day" },
  { text: "10/w", means: "10 per 1 week" },
  { text: "10/2weeks", means: "10 per 2 week" },
  { text: "10/mo", means: "10 per 1 month" },
  { text: "10/months", means: "10 per 1 month" },
  { text: "10/y", means: "10 per 1 year" },
  { text: "10/yr", means: "10 per 1 year" },

  { text: "5 per 15m", means: "5 per 15 minute" },
  { text: "5 per 15 minutes", means: "5 per 15 minute" },
  { text: "10/500ms", means: "10 per 500 millisecond" },
  { text: "10 per 1000ms", means: "10 per 1 second" },
  { text: "10 per millisecond", means: "10 per 1 millisecond" },
  { text: "10 per 60 seconds", means: "10 per 60 second" },
  { text: "3 per 1.5h", means: "3 per 90 minute" },
  { text: "3 per .5 hours", means: "3 per 30 minute" },
  { text: "3 per 2.0h", means: "3 per 2 hour" },
  { text: "3 per 1.1h", means: "3 per 66 minute" },
  { text: "3 per 0.5s", means: "3 per 500 millisecond" },
  { text: "3 per 1.4 months", means: "3 per 6 week" },
  { text: "3 per 0.0000003125 days", means: "3 per 27 millisecond" },
] as const;

/** Texts that are no limits: where reading stops, and a part of what the message says. */
export const invalidLimitTexts = [
  { text: "", at: 0, says: "the text is empty" },
  { text: " \t\n", at: 3, says: "the text is empty" },
  { text: "10/minute;", at: 10, says: "a limit is missing here" },
  { text: ";1/second", at: 0, says: "a limit is missing here" },
  { text: "10/minute,;5/hour", at: 10, says: "a limit is missing here" },
  { text: "1/second; ;2/hour", at: 10, says: "a limit is missing here" },

  { text: "-5/minute", at: 0, says: "the amount cannot be negative" },
  { text: "+5/minute", at: 0, says: "no sign" },
  { text: "1.5/second", at: 0, says: "whole number" },
  { text: ".5/second", at: 0, says: "whole number" },
  { text: "1e3/minute", at: 0, says: "digits only" },
  { text: "1_000/hour", at: 0, says: "digits only" },
  { text: "1,000/hour", at: 1, says: "written without commas" },
  { text: "0x10/hour", at: 1, says: 'found "x"' },
  { text: "9007199254740992/day", at: 0, says: "2^53-1" },
  { text: "100000000000000000000/day", at: 0, says: "2^53-1" },
  { text: "ten per hour", at: 0, says: 'found "ten"' },
  { text: "per hour", at: 0, says: 'found "per"' },
  { text: "/hour", at: 0, says: 'found "/"' },
  { text: "١٠/hour", at: 0, says: "(U+0661)" },

  { text: "10", at: 2, says: 'Did you mean "10 per minute"?' },
  { text: "10 hour", at: 3, says: 'Did you mean "10 per hour"?' },
  { text: "10 pre hour", at: 3, says: 'Did you mean "per"?' },
  { text: "10 requests per hour", at: 3, says: 'found "requests"' },
  { text: "10 : hour", at: 3, says: 'found ":"' },

  { text: "10 per", at: 6, says: "found the end" },
  { text: "10/;5/hour", at: 3, says: 'found ";"' },
  { text: "10//hour", at: 3, says: 'found "/"' },
  { text: "10 per hor", at: 7, says: 'Did you mean "hour"?' },
  { text: "10 per HUOR", at: 7, says: 'Did you mean "hour"?' },
  { text: "10/secondss", at: 3, says: 'Did you mean "seconds"?' },
  { text: "10 per 5 mintues", at: 9, says: 'Did you mean "minutes"?' },
  { text: "2/millenium", at: 2, says: "The units are second, minute, hour" },
  { text: "1 per a minute", at: 6, says: '"a" is not a unit' },
  { text: "10 per\u00a0hour", at: 6, says: "(U+00A0)" },

  { text: "10 per 15", at: 9, says: 'write "15s" or "15ms"' },
  { text: "1/2/second", at: 3, says: "the number has no unit" },
  { text: "10 per 0 hour", at: 7, says: 'Did you mean "1 hour"?' },
  { text: "10/0.00s", at: 3, says: "cannot be 0" },
  { text: "10 per -1 hour", at: 7, says: "no sign" },
  { text: "10 per 1. hour", at: 7, says: "digits must follow the point" },
  { text: "10 per 1.2.3 hours", at: 10, says: "the number has no unit" },
  { text: "10 per 0.5ms", at: 7, says: "whole number of milliseconds" },
  { text: "10 per 0.0001 seconds", at: 7, says: "whole number of milliseconds" },
  { text: "10 per 0.00000015 days", at: 7, says: "whole number of milliseconds" },
  { text: "10 per 1001 years", at: 7, says: "longer than 1,000 years" },
  { text: "10 per 52143 weeks", at: 7, says: "longer than 1,000 years" },
  { text: "10 per 99999999999999999999ms", at: 7, says: "longer than 1,000 years" },

  { text: "10/minute 5/hour", at: 10, says: 'separated by ";"' },
  { text: "1/second and 2/hour", at: 9, says: 'unexpected "and"' },
  { text: "10/minute:5/hour", at: 9, says: 'unexpected ":"' },
  { text: "1/second:,2/minute", at: 8, says: 'unexpected ":"' },
  { text: "1/sec ond", at: 6, says: 'unexpected "ond"' },
  { text: "10/hour.", at: 7, says: 'unexpected "."' },
  { text: "10 per 1h30m", at: 9, says: 'write "90m" instead of "1h30m"' },
] as const;

const digits = (maxLength: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength });
const space = fc.constantFrom("", " ", " ", "  ", "\t", "\n ");
const amount = fc.oneof(
  { weight: 8, arbitrary: digits(16) },
  { weight: 2, arbitrary: fc.constantFrom("0", "9007199254740991", "9007199254740992", "-1", "1.5", "") },
);
const per = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom("per", "Per", "/") },
  { weight: 1, arbitrary: fc.constantFrom("pre", "//", "") },
);
const fives = fc.constantFrom("5", "25", "375", "0625", "03125", "96875");
const multiples = fc.oneof(
  fc.constant(""),
  digits(3),
  digits(8),
  fc.tuple(digits(2), digits(4)).map((parts) => parts.join(".")),
  fc.tuple(digits(1), digits(7), fives).map(([whole, fraction, end]) => `${whole}.${fraction}${end}`),
  fc.constantFrom("0", "0.0", "1000", "1001", "365000", "31536000000", "525600000.1", ".5", "1."),
);
const unit = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...Object.values(UNIT_SPELLINGS).flat()) },
  { weight: 1, arbitrary: fc.constantFrom("SECONDS", "Day", "hor", "ss", "seconds s", "") },
);

const oneLimit = fc
  .tuple(space, amount, space, per, space, multiples, space, unit, space)
  .map((parts) => parts.join(""));
const junk = fc
  .array(fc.constantFrom("1", " ", "per", "/", "hour", ".", "s", "é", "0", "-", '"'), { maxLength: 8 })
  .map((parts) => parts.join(""));

/** Texts near the border of the grammar: about every third one is a limit. */
export const almostLimitTexts: fc.Arbitrary<string> = fc
  .array(fc.oneof({ weight: 19, arbitrary: oneLimit }, { weight: 1, arbitrary: junk }), {
    minLength: 1,
    maxLength: 2,
  })
  .chain((limits) => fc.constantFrom(",", ";", "|", " ; ").map((separator) => limits.join(separator)));
