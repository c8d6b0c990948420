package caudal;

import java.io.Serializable;
import java.time.ZoneId;
import java.time.chrono.IsoChronology;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.ResolverStyle;
import java.util.Locale;

/**
 * How a source spells values that are text. {@code zone}: of times without one; {@code decimal}: the mark in numbers; {@code date} and
 * {@code timestamp}: patterns, or empty for ISO 8601.
 */
public record Form(String zone, String decimal, String date, String timestamp) implements Serializable {
  ZoneId zoneId() {
    return ZoneId.of(zone);
  }

  /** Null for an empty pattern: then the text is ISO 8601. */
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

  /** In strict reading `y` is a year of an era that nobody writes; `u` is the year. */
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
