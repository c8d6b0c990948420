package caudal;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.sql.catalyst.analysis.NoSuchFunctionException;
import org.apache.spark.sql.connector.catalog.FunctionCatalog;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.functions.UnboundFunction;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * A catalog of functions only. Spark calls a function of a catalog on its own rows, compiled into the stage; one that is registered as a UDF
 * gets each value boxed, and its rows converted.
 */
public final class Functions implements FunctionCatalog {
  private static final Map<String, UnboundFunction> KNOWN = new ConcurrentHashMap<>();
  private String name = "";

  /** To be called in the driver, where queries are analysed. Its name says what it is made of, so one of the same name is the same. */
  public static void put(String name, UnboundFunction function) {
    KNOWN.put(name, function);
  }

  @Override
  public void initialize(String given, CaseInsensitiveStringMap options) {
    name = given;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Identifier[] listFunctions(String[] namespace) {
    return KNOWN.keySet().stream().map(one -> Identifier.of(new String[0], one)).toArray(Identifier[]::new);
  }

  @Override
  public UnboundFunction loadFunction(Identifier identifier) throws NoSuchFunctionException {
    UnboundFunction found = KNOWN.get(identifier.name());
    if (found == null) {
      throw new NoSuchFunctionException(identifier);
    }
    return found;
  }
}
