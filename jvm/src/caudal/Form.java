package caudal;

import java.io.Serializable;
import java.time.ZoneId;
import java.time.chrono.IsoChronology;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.ResolverStyle;
import java.util.Locale;

/**
 * How a source writes values as text. {@code zone}: that of times without a zone; {@code decimal}: the
 * decimal mark; {@code date} and {@code timestamp}: patterns, or empty for ISO 8601.
 */
public record Form(String zone, String decimal, String date, String timestamp) implements Serializable {
  ZoneId zoneId() {
    return ZoneId.of(zone);
  }

  /** The formatter for a pattern; null for an empty one, which means ISO 8601. */
  static DateTimeFormatter strict(String pattern) {
    if (pattern.isEmpty()) {
      return null;
    }
    return new DateTimeFormatterBuilder()
        .parseCaseInsensitive() // pm
        .appendPattern(unquotedYears(pattern))
        .toFormatter(Locale.ROOT)
        .withChronology(IsoChronology.INSTANCE)
        .withResolverStyle(ResolverStyle.STRICT);
  }

  /** Replaces y by u: in strict mode y is a year within an era, and nobody writes the era. */
  private static String unquotedYears(String pattern) {
    StringBuilder made = new StringBuilder();
    boolean quoted = false;
    for (char one : pattern.toCharArray()) {
      quoted ^= one == '\'';
      made.append(one == 'y' && !quoted ? 'u' : one);
    }
    return made.toString();
  }
}
