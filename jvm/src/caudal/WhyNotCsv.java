package caudal;

import java.nio.charset.StandardCharsets;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * A SQL function that explains why {@link StrictCsv} refused a record, given the number of its file's layout;
 * or null.
 */
public final class WhyNotCsv implements UDF2<byte[], Integer, String> {
  private static final long serialVersionUID = 1L;

  private final String schema;
  private final Form form;
  private final String separator;
  private final HeaderLayouts layouts;

  /** As {@link StrictCsv}. */
  public WhyNotCsv(String schema, Form form, String separator, HeaderLayouts layouts) {
    this.schema = schema;
    this.form = form;
    this.separator = separator;
    this.layouts = layouts;
  }

  @Override
  public String call(byte[] record, Integer layout) {
    if (record == null) {
      return null;
    }
    if (!UTF8String.fromBytes(record).isValid()) {
      String latin = new String(record, StandardCharsets.ISO_8859_1);
      String what = "not UTF-8; as Latin-1 it begins " + Cures.shown(latin);
      return Cures.with(what, "iconv -f LATIN1 -t UTF-8 FILE >NEW");
    }
    Fields fields = Fields.parse(schema, form);
    CsvWords words = new CsvWords((StructType) DataType.fromJson(schema), fields, form, separator);
    try {
      new CsvCheck(fields, form, separator, words).of(record, layouts.get(layout));
    } catch (Fault fault) {
      return fault.getMessage();
    }
    return null;
  }
}
