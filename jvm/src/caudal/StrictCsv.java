package caudal;

import caudal.Fault.Code;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * A SQL function that reads the bytes of one csv record, given the number of its file's layout. Its result is
 * that of {@link StrictJson}. Nothing is rounded, cut or guessed: a field has the form that {@link Plain}
 * reads, or the record is refused.
 */
public final class StrictCsv extends Strict {
  private static final long serialVersionUID = 1L;

  private final String schema;
  private final int longest;
  private final Code blank;
  private final Form form;
  private final String separator;
  private final HeaderLayouts layouts;
  private transient volatile CsvCheck check;

  /**
   * {@code schema}: a StructType as JSON; {@code longest}: in bytes; {@code blank}: the code of a record of
   * white space.
   */
  public StrictCsv(
      String schema, int longest, String blank, Form form, String separator, HeaderLayouts layouts) {
    super(schema, DataTypes.BinaryType, DataTypes.IntegerType);
    this.schema = schema;
    this.longest = longest;
    this.blank = Code.valueOf(blank);
    this.form = form;
    this.separator = separator;
    this.layouts = layouts;
  }

  /** Spark finds this method by its name. */
  public InternalRow invoke(byte[] bytes, int layout) {
    CsvCheck known = check;
    if (known == null) {
      check = known = new CsvCheck(Fields.parse(schema, form), form, separator, null);
    }
    Code unread = Bytes.unread(bytes, longest, blank);
    if (unread != null) {
      return answer(-unread.number(), null);
    }
    try {
      return answer(0, known.of(bytes, layouts.get(layout)));
    } catch (Fault fault) {
      return answer(-fault.code.number(), null);
    }
  }

  @Override
  public InternalRow produceResult(InternalRow input) {
    return invoke(input.isNullAt(0) ? null : input.getBinary(0), input.getInt(1));
  }

  @Override
  public String name() {
    return "strict_csv";
  }

  @Override
  public String canonicalName() {
    int number = System.identityHashCode(layouts);
    return "caudal.strict_csv/" + number + "/" + schema + form + separator + longest + blank;
  }
}
