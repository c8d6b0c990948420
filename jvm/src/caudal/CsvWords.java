package caudal;

import caudal.Fault.Code;
import caudal.HeaderLayouts.HeaderLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.spark.sql.types.StructType;

/**
 * Explains why a csv record was refused: the column, the value, the expected type, and the row's option that
 * would read it.
 */
final class CsvWords {
  static final String SPANS = "multiline=True in the row reads fields that span lines";

  private final StructType schema;
  private final Fields fields;
  private final Form form;
  private final String separator;

  CsvWords(StructType schema, Fields fields, Form form, String separator) {
    this.schema = schema;
    this.fields = fields;
    this.form = form;
    this.separator = separator;
  }

  Fault malformed(HeaderLayout layout, int field, String what, String cure) {
    return new Fault(Code.MALFORMED, Cures.with(column(layout, field) + ": " + what, cure));
  }

  Fault fields(int found, HeaderLayout layout, byte[] record, int from, int to) {
    String names = String.join(", ", fields.names);
    String what = found + " fields, expected " + layout.fields() + " (" + names + ")";
    String text = new String(record, from, to - from, StandardCharsets.UTF_8);
    return new Fault(Code.MALFORMED, Cures.with(what, separatorFor(layout.fields(), text)));
  }

  Fault value(int column, byte[] text, int from, int to) {
    String shown = Cures.text(text, from, to);
    String what = fields.names[column] + ": " + shown + " is not of type " + expected(column);
    return new Fault(Code.MALFORMED, Cures.with(what, cure(fields.types[column], text, from, to)));
  }

  /** The name of the schema's column for this field, where there is one. */
  private String column(HeaderLayout layout, int field) {
    for (int i = 0; i < layout.places().length; i++) {
      if (layout.places()[i] == field) {
        return fields.names[i];
      }
    }
    return "field " + (field + 1);
  }

  private String expected(int column) {
    Type type = fields.types[column];
    return switch (type.kind()) {
      case DATE, TIMESTAMP, TIMESTAMP_NTZ -> Cures.expected(form, type);
      case DOUBLE, FLOAT, DECIMAL -> {
        String mark = form.decimal().equals(".") ? "" : " (decimal mark " + form.decimal() + ")";
        yield name(column) + mark;
      }
      default -> name(column);
    };
  }

  private String name(int column) {
    return schema.fields()[column].dataType().simpleString();
  }

  /** The option of the registry's row that would read the value; null when there is none. */
  private String cure(Type type, byte[] text, int from, int to) {
    return switch (type.kind()) {
      case DOUBLE, FLOAT, DECIMAL -> {
        Form other = new Form(form.zone(), form.decimal().equals(".") ? "," : ".", "", "");
        boolean fits = new Plain(other).read(type, text, from, to) != null;
        yield fits ? "decimal=\"" + other.decimal() + "\" in the row reads it" : null;
      }
      case DATE, TIMESTAMP, TIMESTAMP_NTZ -> Cures.option(form, type, text, from, to);
      default -> null;
    };
  }

  private String separatorFor(int expected, String record) {
    for (String other : List.of(";", ",", "\t", "|")) {
      long count = record.chars().filter(character -> character == other.charAt(0)).count();
      if (!other.equals(separator) && expected > 1 && count == expected - 1) {
        return "separator=\"" + (other.equals("\t") ? "\\t" : other) + "\" in the row would split it so";
      }
    }
    return null;
  }
}
