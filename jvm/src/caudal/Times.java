package caudal;

import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoField;
import java.time.temporal.TemporalAccessor;
import java.time.temporal.TemporalQueries;
import java.util.List;

/**
 * Reads dates and times from text, in Spark's internal form: days or microseconds since 1970. Null for a text
 * that does not have exactly the declared form, is not in the calendar, has more digits than microseconds, or
 * names a local time that does not exist in its zone or occurs twice.
 */
final class Times {
  private static final long MICROS = 1_000_000L;
  private static final int LAST_YEAR = 9999;

  private final ZoneId zone;
  private final DateTimeFormatter dates;
  private final DateTimeFormatter timestamps;

  Times(Form form) {
    zone = form.zoneId();
    dates = Form.strict(form.date());
    timestamps = Form.strict(form.timestamp());
  }

  Integer date(byte[] text, int from, int to) {
    LocalDate found = dates == null ? isoDate(text, from, to) : date(parsed(dates, text, from, to));
    return found == null ? null : (Integer) (int) found.toEpochDay();
  }

  /** {@code local}: for a column whose times have no zone. */
  Long timestamp(byte[] text, int from, int to, boolean local) {
    if (timestamps != null) {
      TemporalAccessor found = parsed(timestamps, text, from, to);
      LocalDate day = date(found);
      return day == null
          ? null
          : micros(day.atTime(time(found)), found.query(TemporalQueries.offset()), local);
    }
    LocalDate day = to - from < 16 ? null : isoDate(text, from, from + 10);
    if (day == null || text[from + 10] != 'T' && text[from + 10] != ' ') {
      return null;
    }
    int zoneFrom = from + 11;
    while (zoneFrom < to && (isDigit(text[zoneFrom]) || text[zoneFrom] == ':' || text[zoneFrom] == '.')) {
      zoneFrom++;
    }
    LocalTime time = isoTime(text, from + 11, zoneFrom);
    ZoneOffset offset = zoneFrom == to ? null : isoOffset(text, zoneFrom, to);
    return time == null || offset == null && zoneFrom < to ? null : micros(day.atTime(time), offset, local);
  }

  private Long micros(LocalDateTime at, ZoneOffset offset, boolean local) {
    if (local) {
      return offset == null ? since1970(at, ZoneOffset.UTC) : null;
    }
    List<ZoneOffset> valid = offset == null ? zone.getRules().getValidOffsets(at) : List.of(offset);
    return valid.size() == 1 ? since1970(at, valid.get(0)) : null;
  }

  private static Long since1970(LocalDateTime at, ZoneOffset offset) {
    boolean exact = at.getNano() % 1000 == 0;
    return exact ? (Long) (at.toEpochSecond(offset) * MICROS + at.getNano() / 1000) : null;
  }

  /** YYYY-MM-DD. */
  private static LocalDate isoDate(byte[] text, int from, int to) {
    if (to - from != 10 || text[from + 4] != '-' || text[from + 7] != '-') {
      return null;
    }
    return day(number(text, from, from + 4), number(text, from + 5, from + 7), number(text, from + 8, to));
  }

  private static LocalDate day(int year, int month, int day) {
    boolean there = year >= 1 && month >= 1 && month <= 12 && day >= 1;
    if (!there || day > LocalDate.of(year, month, 1).lengthOfMonth()) {
      return null;
    }
    return LocalDate.of(year, month, day);
  }

  /** HH:MM, HH:MM:SS or HH:MM:SS.f with up to nine digits. */
  private static LocalTime isoTime(byte[] text, int from, int to) {
    int length = to - from;
    boolean whole = length == 5 || length == 8 || length > 9 && length <= 18;
    boolean marks =
        whole
            && text[from + 2] == ':'
            && (length <= 5 || text[from + 5] == ':')
            && (length <= 8 || text[from + 8] == '.');
    if (!marks) {
      return null;
    }
    int hour = number(text, from, from + 2);
    int minute = number(text, from + 3, from + 5);
    int second = length > 5 ? number(text, from + 6, from + 8) : 0;
    int nano = length > 8 ? number(text, from + 9, to) : 0;
    for (int digits = length - 9; length > 8 && nano >= 0 && digits < 9; digits++) {
      nano *= 10;
    }
    boolean there =
        hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60 && nano >= 0;
    return there ? LocalTime.of(hour, minute, second, nano) : null;
  }

  /** Z, or a sign and HH, HHMM or HH:MM. */
  private static ZoneOffset isoOffset(byte[] text, int from, int to) {
    int length = to - from;
    if (length == 1 && text[from] == 'Z') {
      return ZoneOffset.UTC;
    }
    boolean shaped = length == 3 || length == 5 || length == 6 && text[from + 3] == ':';
    if (!shaped || text[from] != '+' && text[from] != '-') {
      return null;
    }
    int hours = number(text, from + 1, from + 3);
    int minutes = length > 3 ? number(text, to - 2, to) : 0;
    if (hours < 0 || minutes < 0 || minutes > 59 || hours * 60 + minutes > 18 * 60) {
      return null;
    }
    int sign = text[from] == '-' ? -1 : 1;
    return ZoneOffset.ofHoursMinutes(sign * hours, sign * minutes);
  }

  /** The number in a text of at most nine digits; -1 for any other text. */
  private static int number(byte[] text, int from, int to) {
    int value = 0;
    for (int i = from; i < to; i++) {
      if (!isDigit(text[i])) {
        return -1;
      }
      value = value * 10 + text[i] - '0';
    }
    return value;
  }

  static boolean isDigit(byte one) {
    return one >= '0' && one <= '9';
  }

  private static TemporalAccessor parsed(DateTimeFormatter form, byte[] text, int from, int to) {
    try {
      return form.parse(new String(text, from, to - from, StandardCharsets.UTF_8));
    } catch (DateTimeException none) {
      return null;
    }
  }

  private static LocalDate date(TemporalAccessor found) {
    LocalDate day = found == null ? null : found.query(TemporalQueries.localDate());
    return day == null || day.get(ChronoField.YEAR) < 1 || day.get(ChronoField.YEAR) > LAST_YEAR ? null : day;
  }

  /** The time of a parsed text; midnight if the pattern has no hour. */
  private static LocalTime time(TemporalAccessor found) {
    LocalTime time = found.query(TemporalQueries.localTime());
    return time == null ? LocalTime.MIDNIGHT : time;
  }
}
