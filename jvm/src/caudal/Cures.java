package caudal;

import java.nio.charset.StandardCharsets;
import java.util.List;

/** Describes values that could not be read, and finds the row's option that would read them. */
final class Cures {
  private static final int SHOWN = 60;
  private static final List<String> DAYS =
      List.of(
          "dd/MM/yyyy", "d/M/yyyy", "MM/dd/yyyy", "M/d/yyyy", "dd-MM-yyyy", "dd.MM.yyyy", "d.M.yyyy",
          "yyyy/MM/dd", "yyyyMMdd", "dd/MM/yy", "yyyy-MM-dd");
  private static final List<String> HOURS =
      List.of(
          "", " HH:mm", " HH:mm:ss", " H:mm", " H:mm:ss", "'T'HH:mm:ss", "'T'HH:mm", " HH:mm:ss.SSS",
          " h:mm a", " hh:mm:ss a", "HHmmss", "'T'HHmmssX");

  private Cures() {}

  /** The expected form of a date or a time, in words. */
  static String expected(Form form, Type type) {
    return switch (type.kind()) {
      case DATE -> "date (" + (form.date().isEmpty() ? "YYYY-MM-DD" : form.date()) + ")";
      case TIMESTAMP -> {
        String pattern = form.timestamp().isEmpty() ? "ISO 8601" : form.timestamp();
        yield "timestamp (" + pattern + ", zone " + form.zone() + ")";
      }
      default -> {
        String pattern = form.timestamp().isEmpty() ? "ISO 8601 without a zone" : form.timestamp();
        yield "timestamp_ntz (" + pattern + ")";
      }
    };
  }

  /** The option that would read a refused date or time; null when there is none. */
  static String option(Form form, Type type, byte[] text, int from, int to) {
    String option = type.kind() == Type.Kind.DATE ? "date_format" : "timestamp_format";
    if (reads(form, "", type, text, from, to)) {
      return option + "=\"\" in the row (ISO 8601) reads it";
    }
    for (String day : DAYS) {
      for (String hour : type.kind() == Type.Kind.DATE ? List.of("") : HOURS) {
        if (reads(form, day + hour, type, text, from, to)) {
          return option + "=\"" + day + hour + "\" in the row would read it";
        }
      }
    }
    return null;
  }

  private static boolean reads(Form form, String pattern, Type type, byte[] text, int from, int to) {
    return new Plain(new Form(form.zone(), ".", pattern, pattern)).read(type, text, from, to) != null;
  }

  static String text(byte[] text, int from, int to) {
    return shown(new String(text, from, to - from, StandardCharsets.UTF_8));
  }

  static String with(String what, String cure) {
    return cure == null ? what : what + " -> " + cure;
  }

  /** Quoted, cut to a readable length, control characters escaped. */
  static String shown(String value) {
    StringBuilder out = new StringBuilder("\"");
    value
        .codePoints()
        .limit(SHOWN)
        .forEach(
            c -> out.append(Character.isISOControl(c) ? String.format("\\u%04x", c) : Character.toString(c)));
    return out.append(value.codePointCount(0, value.length()) > SHOWN ? "…\"" : "\"").toString();
  }
}
