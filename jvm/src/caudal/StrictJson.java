package caudal;

import caudal.Fault.Code;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataTypes;

/**
 * A SQL function that reads the bytes of one record: (verdict: long, record: struct). If they are one
 * complete JSON document that fits the schema exactly, the record is its row, and the verdict is 0, or 1 if
 * there were fields that the schema does not know. Otherwise the verdict is minus the number of a {@link
 * Fault.Code}, and the record is null.
 */
public final class StrictJson extends Strict {
  private static final long serialVersionUID = 3L;

  private final String schema;
  private final int longest;
  private final Code blank;
  private final Form form;
  private transient volatile Fields fields;

  /**
   * {@code schema}: a StructType as JSON; {@code longest}: in bytes; {@code blank}: the code of a record of
   * white space; {@code form}: of dates and times.
   */
  public StrictJson(String schema, int longest, String blank, Form form) {
    super(schema, DataTypes.BinaryType);
    this.schema = schema;
    this.longest = longest;
    this.blank = Code.valueOf(blank);
    this.form = form;
    fields = Fields.parse(schema, form); // throws for a type that cannot be read
  }

  /** Spark finds this method by its name. */
  public InternalRow invoke(byte[] bytes) {
    Fields known = fields;
    if (known == null) { // this object was sent to an executor, without its transient fields
      fields = known = Fields.parse(schema, form);
    }
    Code unread = Bytes.unread(bytes, longest, blank);
    if (unread != null) {
      return answer(-unread.number(), null);
    }
    Check check = new Check(known, null);
    try {
      InternalRow record = check.of(bytes);
      return answer(check.unknown() == null ? 0 : 1, record);
    } catch (Fault fault) {
      return answer(-fault.code.number(), null);
    }
  }

  @Override
  public InternalRow produceResult(InternalRow input) {
    return invoke(input.isNullAt(0) ? null : input.getBinary(0));
  }

  @Override
  public String name() {
    return "strict_json";
  }

  @Override
  public String canonicalName() {
    String limits = longest + "/" + blank.name();
    return String.join("/", "caudal.strict_json", schema, limits, form.toString());
  }
}
