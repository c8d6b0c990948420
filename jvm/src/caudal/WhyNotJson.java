package caudal;

import org.apache.spark.sql.api.java.UDF1;

/**
 * A SQL function that names the field for which {@link StrictJson} refused a record, or the unknown fields
 * that it reported; or null.
 */
public final class WhyNotJson implements UDF1<byte[], String> {
  private static final long serialVersionUID = 1L;

  private final String schema;
  private final Form form;

  /** As {@link StrictJson}. */
  public WhyNotJson(String schema, Form form) {
    this.schema = schema;
    this.form = form;
  }

  @Override
  public String call(byte[] record) {
    if (record == null) {
      return null;
    }
    Check check = new Check(Fields.parse(schema, form), form);
    try {
      check.of(record);
    } catch (Fault fault) {
      return fault.getMessage();
    }
    return check.unknown();
  }
}
