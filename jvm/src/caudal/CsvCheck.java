package caudal;

import caudal.Fault.Code;
import caudal.HeaderLayouts.HeaderLayout;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.Locale;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;

/**
 * Reads one csv record (RFC 4180) in one pass, and makes its row of what it has checked. It stops at the
 * first fault.
 *
 * A field is quoted when a quote is its first character. Inside, two quotes stand for one. A separator or the
 * end must follow the closing quote. Other fields have neither quotes nor line ends. An empty field is null,
 * with or without quotes.
 */
final class CsvCheck {
  private final Fields fields;
  private final Plain plain;
  private final byte[] separator;
  private final CsvWords words;

  /** {@code words}: explains faults; null if nobody reads the explanation. */
  CsvCheck(Fields fields, Form form, String separator, CsvWords words) {
    this.fields = fields;
    this.plain = new Plain(form);
    this.separator = separator.getBytes(StandardCharsets.UTF_8);
    this.words = words;
  }

  /** The row of the record. */
  InternalRow of(byte[] record, HeaderLayout layout) throws Fault {
    if (layout.problem() != null) {
      throw new Fault(Code.WRONG_HEADER, layout.problem());
    }
    int from = Bytes.unmarked(record, 0);
    int to = end(record, from);
    byte[] header = layout.header();
    if (header != null && Arrays.equals(record, from, to, header, 0, header.length)) {
      throw new Fault(Code.HEADER, null);
    }
    int[] cuts = new int[2 * layout.fields()];
    byte[] text = split(record, from, to, cuts, layout);
    if (header != null && isHeader(text, cuts, layout)) {
      throw new Fault(Code.HEADER, null);
    }
    return row(text, cuts, layout);
  }

  private static int end(byte[] record, int from) {
    int to = record.length;
    while (to > from && record[to - 1] == '\r') {
      to--;
    }
    return to;
  }

  /**
   * Writes the begin and end of each field into {@code cuts}. They are places in the returned bytes: the
   * record, or a copy in which doubled quotes are single.
   */
  private byte[] split(byte[] record, int from, int to, int[] cuts, HeaderLayout layout) throws Fault {
    byte[] text = record;
    int field = 0;
    for (int at = from; ; field++) {
      int begin = at;
      int end;
      if (at < to && record[at] == '"') {
        begin = at + 1;
        end = closing(record, begin, to, field, layout);
        at = end + 1;
        if (at < to && !isSeparator(record, at, to)) {
          throw malformed(layout, field, "something follows the closing quote", null);
        }
        if (field < layout.fields() && hasQuote(record, begin, end)) {
          text = text == record ? record.clone() : text;
          end = unquoted(text, begin, end);
        }
      } else {
        end = bare(record, begin, to, field, layout);
        at = end;
      }
      if (field < layout.fields()) {
        cuts[2 * field] = begin;
        cuts[2 * field + 1] = end;
      }
      if (at >= to) {
        break;
      }
      at += separator.length;
    }
    if (field + 1 != layout.fields()) {
      throw words == null
          ? new Fault(Code.MALFORMED, null)
          : words.fields(field + 1, layout, record, from, to);
    }
    return text;
  }

  private int closing(byte[] record, int from, int to, int field, HeaderLayout layout) throws Fault {
    for (int at = from; at < to; at++) {
      if (record[at] == '"') {
        if (at + 1 == to || record[at + 1] != '"') {
          return at;
        }
        at++;
      }
    }
    throw malformed(layout, field, "a quote is opened and not closed", CsvWords.SPANS);
  }

  private int bare(byte[] record, int from, int to, int field, HeaderLayout layout) throws Fault {
    int at = from;
    while (at < to && !isSeparator(record, at, to)) {
      if (record[at] == '"') {
        String what = "a quote stands inside a field that does not begin with one";
        throw malformed(layout, field, what, CsvWords.SPANS);
      }
      if (record[at] == '\r' || record[at] == '\n') {
        throw malformed(layout, field, "a line end stands outside quotes", null);
      }
      at++;
    }
    return at;
  }

  private boolean isSeparator(byte[] record, int at, int to) {
    if (record[at] != separator[0]) {
      return false;
    }
    int end = at + separator.length;
    return separator.length == 1
        || end <= to && Arrays.equals(record, at, end, separator, 0, separator.length);
  }

  private static boolean hasQuote(byte[] text, int from, int to) {
    for (int at = from; at < to; at++) {
      if (text[at] == '"') {
        return true;
      }
    }
    return false;
  }

  /** Makes doubled quotes single, in place. Returns the new end of the field. */
  private static int unquoted(byte[] text, int from, int to) {
    int end = from;
    for (int at = from; at < to; at++) {
      text[end++] = text[at];
      at += text[at] == '"' ? 1 : 0;
    }
    return end;
  }

  /**
   * Whether each field is the name of its column: then the record is the header of a file that was joined to
   * another.
   */
  private static boolean isHeader(byte[] text, int[] cuts, HeaderLayout layout) {
    for (int field = 0; field < layout.fields(); field++) {
      int length = cuts[2 * field + 1] - cuts[2 * field];
      String name = layout.names()[field];
      if (length < name.length()
          || !folded(new String(text, cuts[2 * field], length, StandardCharsets.UTF_8)).equals(name)) {
        return false;
      }
    }
    return true;
  }

  /** The same as {@code folded} in jobs/core/read/csv_headers.py. */
  private static String folded(String name) {
    return Normalizer.normalize(name.strip(), Normalizer.Form.NFC).toLowerCase(Locale.ROOT);
  }

  private InternalRow row(byte[] text, int[] cuts, HeaderLayout layout) throws Fault {
    Object[] values = new Object[fields.names.length];
    for (int i = 0; i < values.length; i++) {
      int place = layout.places()[i];
      if (place >= 0 && cuts[2 * place] < cuts[2 * place + 1]) {
        values[i] = plain.read(fields.types[i], text, cuts[2 * place], cuts[2 * place + 1]);
        if (values[i] == null) {
          throw words == null
              ? new Fault(Code.MALFORMED, null)
              : words.value(i, text, cuts[2 * place], cuts[2 * place + 1]);
        }
      }
    }
    int missing = fields.firstMissing(values);
    if (missing >= 0) {
      throw new Fault(Code.MISSING_FIELD, fields.names[missing]);
    }
    return new GenericInternalRow(values);
  }

  private Fault malformed(HeaderLayout layout, int field, String what, String cure) {
    return words == null ? new Fault(Code.MALFORMED, null) : words.malformed(layout, field, what, cure);
  }
}
